"""Stacks against values of real machines: driver, GPU, engine, disk, memory; and `check --host` on this one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from builder.check import packaged_facts
from builder.check.host import absent, against, case_of
from builder.check.host_gpu import asked_for, newest_cuda, runs
from builder.check.model import Finding
from builder.host import EngineLack, Host, Nvidia
from builder.host.model import Trouble
from builder.lock import StackLock, read
from builder.settings import Settings
from builder.spec.model import Stack
from builder.spec.stacks import load_stack
from tests.conftest import REPO, cli, document
from tests.host.machines import (
    A100,
    BARE,
    DISK,
    ENGINE,
    GB,
    H200,
    MISMATCH,
    NOUVEAU,
    RTX3060,
    RTX5090,
    WITH_GPU,
    WSL,
    gpu,
    with_driver,
)

FACTS = packaged_facts()
Make = Callable[..., Stack]


@pytest.fixture
def stack(tmp_path: Path) -> Make:
    """Makes a stack of a CUDA version, for compute capabilities, on a base image."""

    def made(cuda: str | None, *gpus: str, image: str = "debian:12", extra: str = "") -> Stack:
        family = f'summary: A family\nbase: {{image: "{image}", glibc: "2.36"}}\npython: "3.11"\n'
        family += f'cuda: "{cuda}"\n' if cuda else ""
        asked = f"gpus: [{', '.join(repr(one) for one in gpus)}]\n" if gpus else ""
        texts = {"families/plain": family, "mine/stack": f"summary: Mine\nfamily: plain\n{asked}{extra}"}
        for path, text in texts.items():
            (tmp_path / f"{path}.yaml").parent.mkdir(exist_ok=True)
            (tmp_path / f"{path}.yaml").write_text(text)
        return load_stack("mine", Settings(home=tmp_path, stacks=(tmp_path,)))

    return made


def found(stack: Stack, host: Host) -> list[Finding]:
    return against(case_of(stack, None), host)


def only(stack: Stack, host: Host, rule: str, level: str = "error") -> Finding:
    findings = found(stack, host)
    assert [(one.rule, one.level) for one in findings] == [(rule, level)]
    assert findings[0].cause
    assert findings[0].fix
    assert findings[0].source
    return findings[0]


def driven(host: Host, driver: str, cuda: str = "") -> Host:
    return replace(host, nvidia=replace(host.nvidia, driver=driver, cuda=cuda))


@pytest.mark.parametrize(
    ("cuda", "gpus", "host"),
    [
        ("13.0", ("9.0", "12.0"), H200),
        ("12.9", (), H200),
        ("11.8", ("9.0",), H200),
        ("12.8", ("8.6",), RTX3060),
        ("12.8", ("8.0",), A100),
        ("12.8", ("8.0+PTX", "12.0"), RTX5090),
        ("12.9", ("12.0",), RTX5090),
        ("11.3", ("8.6+PTX",), RTX3060),
        ("12.8", ("8.9",), WSL),
        (None, (), BARE),
        (None, (), MISMATCH),
    ],
)
def test_what_runs_has_no_findings(stack: Make, cuda: str | None, gpus: tuple[str, ...], host: Host) -> None:
    assert found(stack(cuda, *gpus), host) == []
    assert runs(case_of(stack(cuda, *gpus), None), host.nvidia, wsl=host.wsl) == ("yes" if cuda else "needs none")


def test_a_driver_of_an_earlier_major_version_is_too_old(stack: Make) -> None:
    one = only(stack("13.0", "12.0"), RTX5090, "host_driver")
    assert one.problem == "driver 570.133.07 is too old for CUDA 13.0"
    assert "CUDA up to 12.8" in one.cause
    assert one.fix == "install driver 580 or newer"
    assert runs(case_of(stack("13.0", "12.0"), None), RTX5090.nvidia, wsl=False) == one.problem


def test_on_a_data_centre_gpu_forward_compatibility_is_offered(stack: Make) -> None:
    one = only(stack("13.0", "8.0"), A100, "host_driver")
    assert one.fix == (
        "install driver 580 or newer, or put cuda-compat-13-0 into the image: forward compatibility covers this GPU"
    )
    assert "forward-compatibility" in one.source


@pytest.mark.parametrize(("driver", "enough"), [("525.60.13", True), ("525.60.11", False), ("524.99", False)])
def test_minor_version_compatibility_begins_with_one_driver(stack: Make, driver: str, enough: bool) -> None:
    findings = found(stack("12.8", "8.6"), driven(RTX3060, driver))
    assert [one.rule for one in findings] == ([] if enough else ["host_driver"])


def test_ptx_needs_the_driver_of_its_own_cuda(stack: Make) -> None:
    one = only(stack("12.8", "8.0+PTX"), driven(H200, "535.183.01"), "host_driver")
    assert one.problem == "driver 535.183.01 cannot compile the PTX of CUDA 12.8"
    assert one.fix == "driver 570.26 or newer, or add 9.0 to `gpus`"
    assert found(stack("12.8", "8.0+PTX"), driven(H200, "570.26")) == []


@pytest.mark.parametrize(
    ("gpus", "host"),
    [
        (("8.6",), H200),  # an older major number
        (("12.0",), H200),  # a newer one
        (("8.9",), RTX3060),  # a newer minor number
        (("9.0", "10.0"), RTX5090),  # Blackwell of the data centre is not that of GeForce
        (("9.0+PTX",), RTX3060),  # PTX that is newer
    ],
)
def test_code_for_another_gpu_does_not_run(stack: Make, gpus: tuple[str, ...], host: Host) -> None:
    one = only(stack("12.8", *gpus), host, "host_gpu")
    name = f"{host.nvidia.gpus[0].name} ({host.nvidia.gpus[0].capability})"
    assert one.problem == f"its code for {', '.join(gpus)} does not run on {name}"
    assert f"add {host.nvidia.gpus[0].capability} to `gpus`" in one.fix


@pytest.mark.parametrize(
    ("torch", "cuda", "host", "problem"),
    [
        ("1.12.1+cu113", "11.3", RTX3060, ""),
        ("1.12.1+cu113", "11.3", H200, "torch 1.12.1+cu113 does not run on NVIDIA H200 (9.0)"),
        ("2.7.1+cu128", "12.8", RTX5090, ""),
        ("2.4.1+cu121", "12.1", RTX5090, "torch 2.4.1+cu121 does not run on NVIDIA GeForce RTX 5090 (12.0)"),
        ("9.9.9+cu128", "12.8", H200, ""),  # nobody knows it
    ],
)
def test_ptx_of_extensions_does_not_help_a_torch_without_code(
    stack: Make, torch: str, cuda: str, host: Host, problem: str
) -> None:
    made = stack(cuda, "8.6+PTX", "12.0", extra=f"packages: [torch=={torch.partition('+')[0]}]\n")
    made = made.model_copy(update={"torch": torch})
    assert [one.problem for one in found(made, host)] == ([problem] if problem else [])


def test_with_two_kinds_of_gpu_one_that_fits_is_enough(stack: Make) -> None:
    old, new = gpu("NVIDIA GeForce GTX 1080", "6.1", 8192), gpu("NVIDIA GeForce RTX 3090", "8.6", 24576)
    host = replace(H200, nvidia=with_driver("570.133.07", old, new))
    one = only(stack("12.8", "8.6"), host, "host_gpu", "warning")
    assert "GTX 1080 (6.1)" in one.problem
    assert "CUDA_VISIBLE_DEVICES" in one.fix
    assert runs(case_of(stack("12.8", "8.6"), None), host.nvidia, wsl=False) == "yes"


@pytest.mark.parametrize(
    ("name", "capability"),
    [("Tesla V100-SXM2-32GB", "7.0"), ("NVIDIA A100-PCIE-40GB", "8.0"), ("NVIDIA RTX 6000 Ada Generation", "8.9")],
)
def test_where_an_old_driver_does_not_tell_the_capability_its_name_does(
    stack: Make, name: str, capability: str
) -> None:
    host = replace(H200, nvidia=with_driver("470.82.01", gpu(name, "", 16384)))
    assert found(stack("11.4", capability), host) == []
    assert only(stack("11.4", "9.0"), host, "host_gpu").problem.endswith(f"{name} ({capability})")


def test_ptx_that_cannot_be_compiled_for_one_of_two_gpus_is_a_warning(stack: Make) -> None:
    two = with_driver("535.183.01", gpu("NVIDIA A100-PCIE-40GB", "8.0", 40960), gpu("NVIDIA H100 PCIe", "9.0", 81559))
    one = only(stack("12.8", "8.0+PTX"), replace(H200, nvidia=two), "host_driver", "warning")
    assert "NVIDIA H100 PCIe (9.0)" in one.cause


def test_no_gpu_is_said_and_is_no_error(stack: Make) -> None:
    one = only(stack("12.8", "9.0"), BARE, "host_no_gpu", "warning")
    assert one.problem == "no NVIDIA GPU here"
    assert "no fault of the stack" in one.cause
    assert runs(case_of(stack("12.8"), None), BARE.nvidia, wsl=False) == "no NVIDIA GPU here"


def test_wsl_without_a_gpu_is_sent_to_windows(stack: Make) -> None:
    one = only(stack("12.8"), replace(WSL, nvidia=Nvidia()), "host_no_gpu", "warning")
    assert one.fix == "install NVIDIA's driver in Windows, none inside WSL"


def test_on_wsl_the_drivers_own_word_on_cuda_counts_and_not_its_windows_number(stack: Make) -> None:
    one = only(stack("13.0", "8.9"), WSL, "host_driver")
    assert "CUDA up to 12.7" in one.cause
    assert one.fix == "install a newer NVIDIA driver in Windows, one that knows CUDA 13.0, then `wsl --shutdown`"
    assert found(stack("13.0", "8.9"), replace(WSL, nvidia=replace(WSL.nvidia, cuda=""))) == [], "nobody can tell"


def test_a_mismatch_of_module_and_libraries_is_cured_by_a_reboot(stack: Make) -> None:
    one = only(stack("12.8", "9.0"), MISMATCH, "host_driver")
    assert one.problem == "the NVIDIA kernel module and its libraries are of different versions"
    assert "NVML library version: 580.159" in one.cause
    assert "the loaded module is 580.126.09" in one.cause
    assert one.fix.startswith("reboot")


def test_a_card_without_a_driver_is_an_error_and_nouveau_is_named(stack: Make) -> None:
    assert "nouveau" in only(stack("12.8"), NOUVEAU, "host_driver").problem
    bare = replace(NOUVEAU, nvidia=replace(NOUVEAU.nvidia, nouveau=False))
    assert only(stack("12.8"), bare, "host_driver").problem == "no NVIDIA driver is installed"


@pytest.mark.parametrize("trouble", ["not-loaded", "no-device", "other"])
def test_a_drivers_libraries_alone_make_no_gpu(stack: Make, trouble: Trouble) -> None:
    lies_about = Nvidia(source="libcuda", trouble=trouble, said="cuInit: 100 CUDA_ERROR_NO_DEVICE")
    only(stack("12.8"), replace(BARE, nvidia=lies_about), "host_no_gpu", "warning")
    assert only(stack("12.8"), replace(BARE, nvidia=replace(lies_about, cards=1)), "host_driver").problem


def test_a_container_that_was_not_given_the_gpu_is_told_from_a_machine_without_a_driver(stack: Make) -> None:
    inside = replace(BARE, nvidia=Nvidia(driver="580.95.05", module="580.95.05", trouble="no-library", cards=1))
    assert "--device nvidia.com/gpu=all" in only(stack("12.8"), inside, "host_driver").fix


def test_of_an_engine_on_another_machine_nothing_is_claimed(stack: Make) -> None:
    far = replace(MISMATCH, engine=replace(ENGINE, host="ssh://gpu.example"), engine_disk=None)
    one = only(stack("12.8", "9.0"), far, "host_elsewhere", "warning")
    assert "ssh://gpu.example" in one.problem


def test_an_image_that_asks_the_driver_for_its_own_cuda_is_warned_of(stack: Make) -> None:
    built = stack("12.8", "8.6", image="nvidia/cuda:12.8.1-base-ubuntu22.04")
    one = only(built, RTX3060, "host_require_cuda", "warning")
    assert "NVIDIA_DISABLE_REQUIRE=1" in one.fix
    assert runs(case_of(built, None), RTX3060.nvidia, wsl=False) == "yes"
    assert found(built, driven(RTX3060, "570.133.07")) == []


@pytest.mark.parametrize(
    ("host", "fix"),
    [
        (replace(H200, engine=ENGINE), '"cdi": true'),
        (replace(H200, engine=ENGINE, cdi=()), "nvidia-ctk cdi generate"),
        (replace(H200, engine=ENGINE, cdi=(), toolkit=""), "install nvidia-container-toolkit"),
    ],
    ids=["engine does not read CDI files", "no CDI file", "no toolkit"],
)
def test_an_engine_that_gives_no_gpu_is_an_error_with_the_next_step(stack: Make, host: Host, fix: str) -> None:
    assert fix in only(stack("12.8", "9.0"), host, "host_engine").fix
    assert found(stack(None), host) == []


def test_without_an_engine_no_stack_can_be_built(stack: Make) -> None:
    lack = EngineLack(lacks="answer", problem="no Docker Engine answers on this machine", why="", fix="make engine")
    without = replace(BARE, engine=None, engine_lack=lack, engine_disk=None)
    assert only(stack(None), without, "host_engine").fix == "make engine"


@pytest.fixture(scope="module")
def shipped() -> tuple[Stack, StackLock]:
    settings = Settings(home=REPO, stacks=(REPO / "stacks",))
    return load_stack("ort-cudnn9", settings), read(REPO / "stacks" / "ort-cudnn9")


def test_files_that_have_no_room_are_an_error(shipped, tmp_path) -> None:
    to_fetch = absent(shipped[1], Settings(home=tmp_path, stacks=()))
    assert to_fetch == sum(item.size for item in shipped[1].artifacts())
    host = replace(H200, home_disk=replace(DISK, free=to_fetch - 1))
    errors = [one for one in against(case_of(*shipped), host, to_fetch) if one.level == "error"]
    assert [one.key for one in errors] == ["host_disk/files"]
    assert against(case_of(*shipped), replace(H200, home_disk=replace(DISK, device=2, free=to_fetch)), to_fetch) == []


def test_files_that_are_there_are_not_counted(shipped, tmp_path) -> None:
    first, second = shipped[1].artifacts()[:2]
    for item, size in ((first, first.size), (second, second.size - 1)):
        path = tmp_path / item.folder / item.filename
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as stream:
            stream.truncate(size)
    left = absent(shipped[1], Settings(home=tmp_path, stacks=()))
    assert left == sum(item.size for item in shipped[1].artifacts()) - first.size


@pytest.mark.parametrize(("store", "gigabytes"), [("overlay2", 10.6), ("containerd", 17.0)])
def test_the_room_an_image_takes_is_as_measured(shipped, store: str, gigabytes: float) -> None:
    host = replace(H200, engine=replace(WITH_GPU, store=store))
    small = replace(host, engine_disk=replace(DISK, free=int(gigabytes * 0.9 * GB)))
    (one,) = against(case_of(*shipped), small)
    assert (one.key, one.level) == ("host_disk/image", "warning")
    large = replace(host, engine_disk=replace(DISK, free=int(gigabytes * 1.1 * GB)))
    assert against(case_of(*shipped), large) == []


def test_on_one_disk_files_and_image_are_added_up(shipped) -> None:
    host = replace(H200, home_disk=replace(DISK, free=12 * GB), engine_disk=replace(DISK, free=12 * GB))
    assert against(case_of(*shipped), host, 0) == []
    assert [one.key for one in against(case_of(*shipped), host, 2 * GB)] == ["host_disk/image"]


def test_a_compiler_needs_memory_where_something_is_compiled(stack: Make) -> None:
    sdist = "packages: [gsplat==1.5.3]\nfrom-source: [gsplat]\nextensions: [{name: gsplat, compiled: [gsplat.csrc]}]\n"
    compiled = stack("13.0", "9.0", extra=sdist)
    small = replace(H200, memory=replace(H200.memory, limit=2 * GB))
    assert only(compiled, small, "host_memory", "warning").problem.startswith("compiling takes about 2.5 GB")
    assert found(stack("13.0", "9.0"), small) == []
    assert found(compiled, H200) == []
    elsewhere = replace(small, engine=replace(WITH_GPU, memory=64 * GB))
    assert found(compiled, elsewhere) == [], "it is the engine that compiles"


@pytest.mark.parametrize(
    ("driver", "cuda"), [("580.159.04", "13.0"), ("570.26", "12.8"), ("535.54.03", "12.2"), ("999.1", "13.2")]
)
def test_the_newest_cuda_of_a_driver(driver: str, cuda: str) -> None:
    assert str(newest_cuda(with_driver(driver), FACTS, wsl=False)) == cuda


def test_a_driver_newer_than_all_facts_is_believed() -> None:
    assert str(newest_cuda(with_driver("999.1", cuda="15.0"), FACTS, wsl=False)) == "15.0"


@pytest.mark.parametrize(
    ("built", "device", "runs_there"),
    [
        (("8.6",), "8.6", True),
        (("8.6",), "8.9", True),
        (("8.6",), "8.0", False),
        (("8.6",), "9.0", False),
        (("8.6+PTX",), "12.0", True),
        (("8.6+PTX",), "8.0", False),
        (("9.0",), "10.0", False),
        (("8.6", "9.0"), "12.0", False),
        (("9.0+PTX", "8.6"), "12.0", True),
        ((), "9.0", False),
    ],
)
def test_what_code_runs_where(built: tuple[str, ...], device: str, runs_there: bool) -> None:
    assert asked_for(built, device) is runs_there


def test_every_trouble_has_a_cause_and_a_cure() -> None:
    rows = {row["trouble"]: row for row in FACTS["driver_troubles"]}
    for trouble in (
        "no-driver",
        "no-library",
        "not-loaded",
        "mismatch",
        "no-device",
        "lost",
        "no-answer",
        "other",
        "nouveau",
    ):
        assert rows[trouble]["fix"]
        assert rows[trouble]["source"]


def test_check_host_speaks_of_this_machine_beside_the_stack() -> None:
    said = document(cli("--json", "check", "--host", "onnx-cpu"))
    assert said["on_host"]["onnx-cpu"] == []
    assert said["host"]["memory"]["total"] > 0
    assert "host" not in document(cli("--json", "check", "onnx-cpu"))


def test_a_machine_that_cannot_run_the_stack_ends_with_3_and_not_with_2(tmp_path) -> None:
    fake = tmp_path / "nvidia-smi"  # a FAKE, as no old driver can be had here
    fake.write_text("#!/bin/sh\necho 'NVIDIA A100-SXM4-80GB, 470.82.01, 8.0, 81920, 81000'\n")
    fake.chmod(0o755)
    path = f"{tmp_path}:/usr/local/bin:/usr/bin:/bin"
    done = cli("--json", "check", "--host", "ort-cudnn9", env={"PATH": path})
    assert done.returncode == 3, done.stderr
    assert "driver 470.82.01 is too old for CUDA 12.9" in done.stderr
    assert '"host_driver"' in done.stdout
    rows = {row["name"]: row for row in document(cli("--json", "list", env={"PATH": path}))["stacks"]}
    assert rows["ort-cudnn9"]["gpu"] == "driver 470.82.01 is too old for CUDA 12.9"
    assert rows["onnx-cpu"]["gpu"] == "needs none"
