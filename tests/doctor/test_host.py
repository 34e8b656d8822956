"""The doctor's host part: real kinds of machines judged, this one looked at, and what it mends by itself."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from builder.check import packaged_facts
from builder.doctor import fix, leftovers
from builder.doctor.checks import driver, engine, machine, stacks
from builder.doctor.examine import doctor
from builder.doctor.model import Diagnosis
from builder.doctor.report import Report, Section
from builder.engine.client import Engine
from builder.errors import InputError
from builder.host import EngineLack, Host
from builder.settings import Settings, load
from builder.smoke import target
from builder.spec import load_stack
from builder.ui import Ui
from tests.conftest import REPO, cli, document, write_stack
from tests.engine.test_daemon import _HIDE
from tests.host.machines import BARE, CDI, DISK, ENGINE, GB, H200, MISMATCH, NOUVEAU, RTX3060, WSL
from tests.private_engine import private_engine

FACTS = packaged_facts()
SBIN = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
STOPPED = EngineLack(lacks="answer", problem="no Docker Engine answers on this machine", why="", fix="make engine")


def one(diagnoses: list[Diagnosis], check: str) -> Diagnosis:
    (found,) = [each for each in diagnoses if each.check == check]
    return found


def test_a_machine_without_a_gpu_has_nothing_bad() -> None:
    found = driver.judge(BARE, FACTS)
    assert (found.state, found.fix) == ("note", "")
    assert found.message == "no NVIDIA GPU here: images are built all the same; what needs a GPU cannot be tested"
    assert [each.check for each in engine.judge(BARE)] == ["engine"], "what containers get is no matter without a GPU"


def test_a_gpu_is_told_with_its_driver_and_the_cuda_that_knows() -> None:
    found = driver.judge(H200, FACTS)
    assert found.state == "good"
    assert found.message == (
        "NVIDIA H200, compute capability 9.0, 150.8 GB (150.2 GB free); driver 580.159.04, which knows CUDA up to 13.0"
    )
    assert one(list(engine.judge(H200)), "gpu in containers").message == "given by CDI"


@pytest.mark.parametrize("host", [MISMATCH, NOUVEAU], ids=["mismatch", "nouveau"])
def test_a_gpu_that_cannot_be_used_is_bad(host: Host) -> None:
    found = driver.judge(host, FACTS)
    assert found.state == "bad"
    assert "reboot" in found.fix


def test_a_lost_gpu_is_bad_beside_others_that_work() -> None:
    lost = replace(H200, nvidia=replace(H200.nvidia, trouble="lost", said="GPU is lost"))
    assert driver.judge(lost, FACTS).state == "bad"


def test_wsl_is_named() -> None:
    assert one(list(machine.judge(WSL)), "system").message.endswith("WSL")


def test_without_an_engine_the_engine_is_bad() -> None:
    found = one(list(engine.judge(replace(BARE, engine=None, engine_lack=STOPPED, engine_disk=None))), "engine")
    assert (found.state, found.fix) == ("bad", "make engine")


def test_of_an_engine_elsewhere_no_gpu_is_asked() -> None:
    far = replace(H200, engine=replace(ENGINE, host="tcp://gpu.example:2376"))
    assert [(found.check, found.state) for found in engine.judge(far)] == [("engine", "note"), ("engine", "good")]


def test_a_cdi_file_of_another_driver_is_bad() -> None:
    stale = replace(H200, cdi=(replace(CDI, gone=("/usr/lib/libcuda.so.570.133.07",)),))
    found = one(list(engine.judge(stale)), "gpu in containers")
    assert found.state == "bad"
    assert "libcuda.so.570.133.07" in found.message
    assert "sudo nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml" in found.fix


@pytest.mark.parametrize(
    ("disk", "state"),
    [
        (DISK, "good"),
        (replace(DISK, free=GB // 2), "bad"),
        (replace(DISK, writable=False), "bad"),
        (replace(DISK, missing=True), "note"),
        (replace(DISK, missing=True, writable=False), "bad"),
    ],
)
def test_a_disk_is_judged(disk, state: str) -> None:
    (found,) = [each for each in machine.judge(replace(BARE, home_disk=disk, engine_disk=None)) if each.check == "disk"]
    assert found.state == state
    assert bool(found.fix) == (state != "good")


@pytest.mark.parametrize(
    ("name", "host", "state"),
    [
        ("onnx-cpu", BARE, "good"),
        ("ort-cudnn9", BARE, "note"),  # it is built here, and not run
        ("ort-cudnn9", MISMATCH, "note"),  # what is wrong is said of the machine
        ("ort-cudnn9", H200, "good"),
        ("ort-cudnn9", RTX3060, "good"),
        ("ort-cudnn9", replace(RTX3060, nvidia=replace(RTX3060.nvidia, driver="470.82.01")), "bad"),
        ("ort-cudnn9", replace(H200, engine_disk=replace(DISK, free=GB)), "note"),
    ],
)
def test_each_stack_is_held_against_the_machine(name: str, host: Host, state: str) -> None:
    from builder.check.host import against, case_of
    from builder.lock import read

    settings = Settings(home=REPO, stacks=(REPO / "stacks",))
    stack, lock = load_stack(name, settings), read(REPO / "stacks" / name)
    (found,) = stacks.judge(stack, against(case_of(stack, lock), host), host)
    assert (found.subject, found.state) == (name, state), found.message


def test_sections_have_their_own_titles_and_each_fix_is_said_once(capsys) -> None:
    bad = Diagnosis(check="engine", subject="this machine", state="bad", message="no engine", fix="make engine")
    slow = Diagnosis(check="name", subject="host.example", state="good", message="fine", figures={"seconds": 0.25})
    report = Report([], [Section("this machine", "", [bad, bad]), Section("network", "host", [slow])])
    report.show(Ui())
    said = capsys.readouterr().out
    assert said.index("this machine") < said.index("no engine") < said.index("network") < said.index("host.example")
    assert said.count("make engine") == 1
    assert "to do (this machine): make engine" in said
    assert [row["section"] for row in report.document()["diagnoses"]] == ["this machine"] * 2 + ["network"]
    assert len(report.bad) == 2


# This machine


def test_only_the_host_part_asks_no_network() -> None:
    """In a network of its own, where nothing but this machine can be reached."""
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        pytest.skip("needs root and unshare")
    words = [sys.executable, "-m", "builder", "--json", "doctor", "--only", "host", "onnx-cpu"]
    done = subprocess.run(["unshare", "--net", *words], cwd=REPO, capture_output=True, text=True, check=False)
    said = document(done, code=done.returncode)
    assert done.returncode in (0, 3), done.stderr
    assert {row["section"] for row in said["diagnoses"]} == {"this machine", "stacks on this machine"}
    assert "asking" not in done.stderr
    checks = {row["check"] for row in said["diagnoses"]}
    assert {"system", "memory", "disk", "engine", "gpu", "leftovers", "stack"} <= checks


def test_a_gpu_machines_doctor_names_what_is_missing(tmp_path) -> None:
    fake = tmp_path / "nvidia-smi"  # a FAKE, as there is no GPU here
    fake.write_text("#!/bin/sh\necho 'NVIDIA H200, 580.159.04, 9.0, 143771, 143160'\n")
    fake.chmod(0o755)
    env = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = cli("--json", "doctor", "--only", "host", "onnx-cpu", env=env)
    rows = {row["check"]: row for row in json.loads(done.stdout)["diagnoses"]}
    assert rows["gpu"]["state"] == "good"
    assert rows["gpu"]["figures"]["nvidia"]["gpus"][0]["capability"] == "9.0"


@pytest.mark.parametrize("words", [["--only", "network", "--fix"], ["--only", "host", "--save-root", "x.pem"]])
def test_what_is_asked_of_a_part_that_is_left_out_is_wrong_input(words: list[str]) -> None:
    assert cli("doctor", *words, "onnx-cpu").returncode == 2


# Mending


def aged(path: Path, seconds: float) -> Path:
    then = time.time() - seconds
    os.utime(path, (then, then))
    return path


@pytest.fixture
def left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Settings, set[Path], set[Path]]:
    """A home and a temporary folder with what killed runs left, and with what is not ours or still in use."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    home = tmp_path / "home"
    for folder in ("tmp", "home/assets/debs", "home/assets/sources", "home/wheels", "home/build/mine"):
        (tmp_path / folder).mkdir(parents=True)
    ours = [tmp_path / "tmp/modelstacks-uv-abcd1234", home / "assets/sources/.git-x_y12345"]
    ours.append(home / "assets/sources/.scratch/git-x_y12345")
    for path in ours:
        (path / "deep").mkdir(parents=True)
        (path / "deep" / "file").write_text("x")
    ours.append(home / "wheels/.one.whl.abc12345.new")
    ours[-1].write_text("x")
    others = [
        tmp_path / "tmp/modelstacks-mine",  # not a name that a run makes
        tmp_path / "tmp/other-abcd1234",
        home / "assets/debs/one.deb",
        home / "wheels/.gitignore",
    ]
    for path in others:
        path.write_text("x")
    link = tmp_path / "tmp/modelstacks-uv-linked12"
    link.symlink_to(tmp_path / "home")
    for path in (*ours, *others):
        aged(path, 3 * leftovers.DAY)
    young = tmp_path / "tmp/modelstacks-smoke-abcd1234"
    young.mkdir()
    return Settings(home=home, stacks=()), set(ours), {*others, young, link}


def test_every_name_that_a_room_writes_aside_under_is_known() -> None:
    text = "".join(path.read_text() for path in (REPO / "builder").rglob("*.py"))
    made = re.findall(r'TemporaryDirectory\(prefix="([^"]+)"', text)
    scratch = re.findall(r'scratch\([^"]+"\.scratch", "([^"]+)"\)', text)
    assert len(made) >= 5 and len(made) + len(scratch) >= 14
    for prefix in scratch:
        assert leftovers._SCRATCH.fullmatch(f"{prefix}abcd123_"), prefix
    for prefix in made:
        known = leftovers._TEMPORARY if prefix.startswith("modelstacks-") else leftovers._HOME
        assert known.fullmatch(f"{prefix}abcd123_"), prefix
    assert ("sleep", [str(target._LIFETIME)]) == leftovers._PROGRAM


def test_a_folder_in_which_something_is_mounted_is_left_alone(tmp_path, monkeypatch) -> None:
    folder = tmp_path / "a b"
    (folder / "inside").mkdir(parents=True)
    assert not leftovers._mounted(folder)
    mounts = f"tmpfs {folder}/inside tmpfs rw 0 0\n".replace("a b", r"a\040b")
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: mounts)
    assert leftovers._mounted(folder)


def test_what_killed_runs_left_is_found_and_nothing_else(left) -> None:
    settings, ours, _ = left
    assert set(leftovers.files(settings)) == ours


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another user")
def test_another_users_folder_is_left_alone(left) -> None:
    settings, ours, _ = left
    foreign = min(ours)
    os.chown(foreign, 12345, 12345)
    assert foreign not in leftovers.files(settings)


def test_it_is_removed_and_said_before(left, capsys) -> None:
    settings, ours, others = left
    done = fix.mend(replace(BARE, engine=None), settings, Ui())
    assert {each.why for each in done} == {""}
    assert not any(path.exists() for path in ours)
    assert all(os.path.lexists(path) for path in others)
    said = capsys.readouterr().err
    for path in ours:
        assert f"==> remove {path}" in said.replace("\n", "")
    fix.mend(replace(BARE, engine=None), settings, Ui())
    assert "nothing here can be mended safely without you" in capsys.readouterr().err


def test_one_that_cannot_be_mended_keeps_nobody_from_the_rest(left, monkeypatch) -> None:
    settings, ours, _ = left
    first = min(ours)
    real = leftovers.remove_file

    def refuse(path: Path) -> None:
        if path == first:
            raise PermissionError(13, "Permission denied")
        real(path)

    monkeypatch.setattr(leftovers, "remove_file", refuse)
    done = fix.mend(replace(BARE, engine=None), settings, Ui())
    assert [each.document() for each in done if each.why] == [
        {"what": f"remove {first}, which a killed run left", "why": "Permission denied", "done": False}
    ]
    assert first.exists()
    assert not any(path.exists() for path in ours - {first})


def remedies(host: Host) -> list[str]:
    return [each.what for each in fix.remedies(host, [], [])]


def test_a_stopped_engine_is_started_by_root_alone(monkeypatch) -> None:
    stopped = replace(BARE, engine=None, engine_lack=STOPPED)
    monkeypatch.setattr(fix, "_dockerd", lambda: True)
    assert remedies(stopped) == ["start the Docker Engine that is installed here"]
    assert remedies(replace(stopped, root=False)) == []
    assert remedies(replace(stopped, engine_lack=replace(STOPPED, lacks="client"))) == [], "nothing is installed"
    assert remedies(replace(stopped, engine_lack=replace(STOPPED, lacks="elsewhere"))) == [], "the user's own choice"
    assert remedies(BARE) == []


CTK = 'for word; do case $word in --output=*) echo "kind: nvidia.com/gpu" > "${word#--output=}";; esac; done\n'


def test_a_cdi_file_is_written_where_none_is(tmp_path, monkeypatch, capsys) -> None:
    fake = tmp_path / "nvidia-ctk"  # a FAKE, as the toolkit cannot be had here
    fake.write_text(f"#!/bin/sh\n{CTK}")
    fake.chmod(0o755)
    target = tmp_path / "nvidia.yaml"
    monkeypatch.setattr(fix, "CDI_FILE", str(target))
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    lacking = replace(H200, engine=ENGINE, cdi=())
    for other in (BARE, H200, replace(lacking, root=False), replace(lacking, toolkit=""), replace(lacking, cdi=(CDI,))):
        assert remedies(other) == []
    for host in (replace(ENGINE, host="tcp://gpu.example:2376"), None):
        assert remedies(replace(lacking, engine=host)) == [], "no engine of this machine would read it"
    (done,) = fix.mend(lacking, Settings(home=tmp_path, stacks=()), Ui())
    assert done.why == ""
    assert target.read_text() == "kind: nvidia.com/gpu\n"
    assert f"==> write {target} with nvidia-ctk" in capsys.readouterr().err.replace("\n", "")
    assert remedies(lacking) == [], "a file that is there is never written over"


def test_a_toolkit_that_fails_is_told(tmp_path, monkeypatch) -> None:
    (tmp_path / "nvidia-ctk").write_text("#!/bin/sh\necho 'failed to generate CDI spec: no devices' >&2; exit 1\n")
    (tmp_path / "nvidia-ctk").chmod(0o755)
    monkeypatch.setattr(fix, "CDI_FILE", str(tmp_path / "nvidia.yaml"))
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    (done,) = fix.mend(replace(H200, engine=ENGINE, cdi=()), Settings(home=tmp_path, stacks=()), Ui())
    assert done.why == "nvidia-ctk wrote no CDI file: failed to generate CDI spec: no devices"


def test_fix_makes_the_home_folder_and_looks_again(tmp_path) -> None:
    home = tmp_path / "a" / "home"
    write_stack(tmp_path / "stacks", "mine", packages=["six==1.17.0"])
    env = {"MODELSTACKS_HOME": str(home), "TMPDIR": str(tmp_path), "DOCKER_HOST": "unix:///nowhere/docker.sock"}
    words = ("--json", "--stacks", str(tmp_path / "stacks"), "doctor", "--only", "host", "mine")
    before = json.loads(cli(*words, env=env).stdout)
    assert "is not there" in json.dumps(before)
    assert not home.exists()
    after = json.loads(cli(*words, "--fix", env=env).stdout)
    assert after["fixed"] == [{"what": f"make the folder {home}", "why": "", "done": True}]
    assert home.is_dir()
    assert "is not there" not in json.dumps(after["diagnoses"])


def test_only_stopped_smoke_containers_of_ours_are_taken(monkeypatch) -> None:
    with private_engine() as own:
        monkeypatch.setenv("DOCKER_HOST", own.host)
        engine = Engine.connect()
        engine.run(["import", "-", "empty:latest"], input="")
        made = {}
        for name, program in (
            ("modelstacks-smoke-onnx-cpu-0123abcd", ["sleep", "3600"]),
            ("modelstacks-smoke-onnx-cpu-89abcdef", ["sleep", "60"]),
            ("modelstacks-smoke-mine", ["sleep", "3600"]),
            ("other-0123abcd", ["sleep", "3600"]),
        ):
            made[name] = engine.run(["create", "--name", name, "empty:latest", *program]).stdout.strip()
        assert leftovers.containers() == [], "none is old enough yet"
        time.sleep(1.1)
        ours = made.pop("modelstacks-smoke-onnx-cpu-0123abcd")
        assert leftovers.containers(older=0) == [ours]
        leftovers.remove_container(ours)
        assert set(engine.run(["ps", "-aq", "--no-trunc"]).stdout.split()) == set(made.values())


def test_the_settings_and_every_part_are_there_by_default(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    report = doctor([], load(folder=tmp_path), Ui())
    assert [section.title for section in report.sections] == ["this machine", "stacks on this machine", "network"]
    with pytest.raises(InputError, match="--fix"):
        doctor([], load(folder=tmp_path), Ui(), parts=["network"], fix=True)


@pytest.mark.skipif(
    os.geteuid() != 0 or not all(shutil.which(name, path=SBIN) for name in ("dockerd", "unshare")),
    reason="needs root, dockerd and unshare",
)
def test_fix_starts_a_stopped_engine_for_real(tmp_path) -> None:
    """In namespaces of its own, where no engine runs; all that is started there dies with them."""
    namespaces = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]
    words = [sys.executable, "-m", "builder", "--json", "doctor", "--only", "host", "--fix", "onnx-cpu"]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("DOCKER_")}
    environment |= {"MODELSTACKS_HOME": str(tmp_path), "TMPDIR": str(tmp_path)}  # nothing else is to be mended
    done = subprocess.run(
        [*namespaces, "sh", "-c", _HIDE, "sh", str(tmp_path), "", *words],
        capture_output=True,
        text=True,
        check=False,
        cwd=REPO,
        env=environment,
    )
    said = json.loads(done.stdout)
    what = "start the Docker Engine that is installed here"
    assert {"what": what, "why": "", "done": True} in said["fixed"]
    assert done.stderr.index(what) < done.stderr.index("starting dockerd")
    assert one_row(said, "engine")["state"] == "good"


def one_row(said: dict[str, Any], check: str) -> dict[str, Any]:
    (found,) = [row for row in said["diagnoses"] if row["check"] == check]
    return dict(found)
