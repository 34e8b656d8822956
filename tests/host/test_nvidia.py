"""What the driver says: by a FAKE nvidia-smi whose words are copied from real ones, by libcuda, and by the kernel."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from builder.host import Gpu, nvidia
from builder.inside.sent import driver
from tests.host.machines import MIB

H200 = "NVIDIA H200, 580.159.04, 9.0, 143771, 143160"
LOADED = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  {}  Release Build  (dvs-builder)\nGCC version:\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An empty /proc and /sys, so that the machine that runs the tests does not matter."""
    return tmp_path / "root"


def loaded(root: Path, version: str) -> Path:
    (root / "proc/driver/nvidia").mkdir(parents=True)
    (root / "proc/driver/nvidia/version").write_text(LOADED.format(version))
    return root


def test_one_gpu_is_read_with_its_sizes_in_bytes(program, root) -> None:
    program("nvidia-smi", f"echo '{H200}'")
    found = nvidia.read(loaded(root, "580.159.04"))
    assert (found.driver, found.module, found.trouble) == ("580.159.04", "580.159.04", "")
    assert found.gpus == (Gpu(name="NVIDIA H200", capability="9.0", memory=143771 * MIB, free=143160 * MIB),)


def test_the_question_is_the_documented_one(program, root, tmp_path) -> None:
    program("nvidia-smi", f'echo "$*" > {tmp_path}/asked; echo "{H200}"')
    nvidia.read(root)
    fields = "--query-gpu=name,driver_version,compute_cap,memory.total,memory.free"
    assert (tmp_path / "asked").read_text().split() == [fields, "--format=csv,noheader,nounits"]


def test_a_gpu_that_shares_the_machines_memory_has_no_size(program, root) -> None:
    program("nvidia-smi", "echo 'NVIDIA GB10, 580.95.05, 12.1, [N/A], [N/A]'")
    assert nvidia.read(root).gpus == (Gpu(name="NVIDIA GB10", capability="12.1", memory=None, free=None),)


def test_a_driver_that_does_not_know_compute_cap_is_asked_without_it(program, root) -> None:
    refuse = "echo 'Field \"compute_cap\" is not a valid field to query.'; exit 2"
    program("nvidia-smi", f"case $1 in *compute_cap*) {refuse};; esac\necho 'Tesla K80, 470.82.01, 11441, 11438'")
    found = nvidia.read(root)
    assert (found.driver, found.trouble) == ("470.82.01", "")
    assert found.gpus[0].capability == ""


@pytest.mark.parametrize(
    ("says", "code", "trouble"),
    [
        ("Failed to initialize NVML: Driver/library version mismatch\nNVML library version: 535.86", 18, "mismatch"),
        (
            "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make sure that the latest "
            "NVIDIA driver is installed and running.",
            9,
            "not-loaded",
        ),
        ("No devices were found", 6, "no-device"),
        ("Unable to determine the device handle for GPU0000:01:00.0: Unknown Error", 255, "lost"),
        ("NVIDIA-SMI couldn't find libnvidia-ml.so library in your system.", 12, "no-driver"),
        ("Segmentation fault", 139, "other"),
        ("", 0, "other"),
    ],
)
def test_what_it_says_when_it_fails_is_told_apart(program, root, says: str, code: int, trouble: str) -> None:
    program("nvidia-smi", f'cat <<"END"\n{says}\nEND\nexit {code}')
    found = nvidia.read(root)
    assert (found.trouble, found.gpus) == (trouble, ())
    assert found.said == " ".join(says.splitlines())


def test_of_a_mismatch_the_module_that_is_loaded_is_told(program, root) -> None:
    program("nvidia-smi", "echo 'Failed to initialize NVML: Driver/library version mismatch'; exit 18")
    found = nvidia.read(loaded(root, "580.126.09"))
    assert (found.trouble, found.driver, found.module) == ("mismatch", "580.126.09", "580.126.09")


def test_a_lost_gpu_leaves_the_others(program, root) -> None:
    program("nvidia-smi", f"echo '{H200}'; echo 'Unable to determine the device handle for GPU2: GPU is lost'; exit 15")
    found = nvidia.read(root)
    assert (found.trouble, len(found.gpus)) == ("lost", 1)


def runs(pid: int) -> bool:
    """Whether a process is there and not merely waiting to be reaped."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except OSError:
        return False


def test_one_that_hangs_is_ended_with_all_it_started(program, root, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(nvidia, "_SECONDS", 3.0)
    program("nvidia-smi", f"sleep 60 & echo $! > {tmp_path}/pid\nwait")
    started = time.monotonic()
    found = nvidia.read(root)
    assert found.trouble == "no-answer"
    assert time.monotonic() - started < 30
    pid = int((tmp_path / "pid").read_text())
    while runs(pid):
        assert time.monotonic() - started < 30, "what it started still runs"
        time.sleep(0.05)


def test_one_that_never_stops_talking_is_cut_off(program, root) -> None:
    program("nvidia-smi", f"while :; do echo '{H200}'; done")
    found = nvidia.read(root)
    assert found.trouble == "other"
    assert len(found.said) <= 300
    assert len(found.gpus) < 2000


def test_a_hostile_name_cannot_steer_a_terminal(program, root) -> None:
    program("nvidia-smi", r"printf '\033[2JNVIDIA\007 %0300d, 580.1, 9.0, 1, 1\n' 0")
    (one,) = nvidia.read(root).gpus
    assert one.name.startswith("?[2JNVIDIA? 000")
    assert len(one.name) == 100


def test_rows_that_are_none_are_no_gpus(program, root) -> None:
    program("nvidia-smi", "echo 'a, b, c, d, e'; echo 'NVIDIA H200; rm -rf /, $(id), 9.0, 1, 1'")
    assert nvidia.read(root).gpus == ()


def test_without_a_driver_a_card_on_the_bus_and_nouveau_are_seen(root, monkeypatch) -> None:
    monkeypatch.setattr(nvidia, "_libcuda", lambda: None)
    monkeypatch.setenv("PATH", "/nowhere")
    for place, vendor, kind in (
        ("0000:01:00.0", "0x10de", "0x030000"),
        ("0000:01:00.1", "0x10de", "0x040300"),
        ("0000:00:02.0", "0x8086", "0x030000"),
    ):
        device = root / "sys/bus/pci/devices" / place
        device.mkdir(parents=True)
        (device / "vendor").write_text(f"{vendor}\n")
        (device / "class").write_text(f"{kind}\n")
    (root / "sys/module/nouveau").mkdir(parents=True)
    found = nvidia.read(root)
    assert (found.cards, found.nouveau) == (1, True), "its sound device and the other maker's are none"
    assert found.driver == ""


@pytest.mark.parametrize(
    "line",
    [
        "NVRM version: NVIDIA UNIX x86_64 Kernel Module  384.81  Wed Aug 17 22:24:07 PDT 2016",
        "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  384.81  Release Build  (archlinux-builder@)",
    ],
)
def test_both_forms_of_the_kernels_own_file_are_read(root, monkeypatch, line: str) -> None:
    monkeypatch.setattr(nvidia, "_libcuda", lambda: None)
    monkeypatch.setenv("PATH", "/nowhere")
    (root / "proc/driver/nvidia").mkdir(parents=True)
    (root / "proc/driver/nvidia/version").write_text(f"{line}\nGCC version:  gcc version 4.8.5\n")
    found = nvidia.read(root)
    assert (found.driver, found.source) == ("384.81", "/proc/driver/nvidia/version")


def test_a_module_without_its_libraries_is_told(root, monkeypatch) -> None:
    monkeypatch.setattr(nvidia, "_libcuda", lambda: None)
    monkeypatch.setenv("PATH", "/nowhere")
    found = nvidia.read(loaded(root, "580.95.05"))
    assert (found.trouble, found.driver) == ("no-library", "580.95.05")


@pytest.mark.parametrize("place", ["usr/lib/wsl/lib", "usr/local/nvidia/bin"])
def test_nvidia_smi_is_found_off_the_path_where_drivers_put_it(root, monkeypatch, place: str) -> None:
    path = root / place / "nvidia-smi"
    path.parent.mkdir(parents=True)
    path.write_text(f"#!/bin/sh\necho '{H200}'\n")
    path.chmod(0o755)
    monkeypatch.setenv("PATH", "/nowhere")
    assert nvidia.read(root).driver == "580.159.04"


STUB = """
#include <string.h>
int cuDriverGetVersion(int *v) { *v = 12080; return 0; }
int cuInit(unsigned flags) { return INIT; }
int cuGetErrorName(int code, const char **text) { *text = "CUDA_ERROR_STUB"; return 0; }
int cuDeviceGetCount(int *n) { *n = 1; return 0; }
int cuDeviceGet(int *d, int i) { *d = i; return 0; }
int cuDeviceGetName(char *name, int n, int d) { strncpy(name, "NVIDIA GeForce RTX 5090", n); return 0; }
int cuDeviceGetAttribute(int *v, int which, int d) { *v = which == 75 ? 12 : 0; return 0; }
int cuDeviceTotalMem_v2(unsigned long *size, int d) { *size = 1ul << 34; return 0; }
"""


def stub(folder: Path, init: int) -> None:
    """A FAKE libcuda, as there is no GPU here."""
    source, library = folder / "stub.c", folder / "libcuda.so.1"
    source.write_text(STUB)
    subprocess.run(["cc", "-shared", "-fPIC", f"-DINIT={init}", "-o", str(library), str(source)], check=True)


@pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler to make a libcuda that stands in")
@pytest.mark.parametrize(("init", "trouble"), [(0, ""), (100, "no-device"), (803, "mismatch"), (999, "other")])
def test_libcuda_is_asked_where_there_is_no_nvidia_smi(root, tmp_path, monkeypatch, init: int, trouble: str) -> None:
    stub(tmp_path, init)
    monkeypatch.setenv("LD_LIBRARY_PATH", str(tmp_path))
    monkeypatch.setenv("PATH", "/nowhere")
    found = nvidia.read(root)
    assert (found.source, found.cuda, found.trouble) == ("libcuda", "12.8", trouble)
    card = Gpu(name="NVIDIA GeForce RTX 5090", capability="12.0", memory=1 << 34, free=None)
    assert found.gpus == (() if trouble else (card,))
    assert found.said == ("" if not init else f"cuInit: {init} CUDA_ERROR_STUB")


@pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler to make a libcuda that stands in")
def test_a_libcuda_that_crashes_takes_only_its_own_process_with_it(root, tmp_path, monkeypatch) -> None:
    (tmp_path / "crash.c").write_text("int cuDriverGetVersion(int *v) { return *(volatile int *)0; }\n")
    command = ["cc", "-shared", "-fPIC", "-o", str(tmp_path / "libcuda.so.1"), str(tmp_path / "crash.c")]
    subprocess.run(command, check=True)
    monkeypatch.setenv("LD_LIBRARY_PATH", str(tmp_path))
    monkeypatch.setenv("PATH", "/nowhere")
    assert nvidia.read(root).trouble == "no-answer"


def test_no_python_is_started_where_no_libcuda_can_be(root, tmp_path, monkeypatch) -> None:
    """And one is, as soon as a library lies where the loader or libcuda.py looks."""
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv("LD_LIBRARY_PATH", raising=False)
    monkeypatch.setattr(nvidia, "_LOADED", (str(tmp_path),))
    asked: list[str] = []
    monkeypatch.setattr(nvidia, "_child", lambda: asked.append("libcuda"))
    if b"libcuda.so.1" not in Path("/etc/ld.so.cache").read_bytes():
        assert (nvidia.read(root).trouble, asked) == ("no-driver", [])
    (tmp_path / "libcuda.so.1").touch()
    assert (nvidia.read(root).trouble, asked) == ("no-answer", ["libcuda"])


def test_the_places_of_libcuda_are_those_that_its_question_looks_at() -> None:
    assert set(driver._PLACES) <= set(nvidia._LOADED)


def test_the_question_to_libcuda_gives_one_document_on_this_machine() -> None:
    script = Path(nvidia.__file__).with_name("libcuda.py")
    done = subprocess.run([sys.executable, "-I", str(script)], capture_output=True, text=True, check=True)
    answer = json.loads(done.stdout)
    assert set(answer) == {"cuda", "driver", "gpus", "error"}
    assert answer["cuda"] or "libcuda.so.1" in answer["error"]


def test_what_is_found_on_this_machine_agrees_with_itself() -> None:
    found = nvidia.read()
    assert bool(found.gpus) or bool(found.trouble)
    assert not found.gpus or found.driver
    assert (found.trouble == "no-driver") <= (found.driver == "")
