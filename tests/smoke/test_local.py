"""This machine as the target: no container, nothing left behind, and only what a machine promises is judged."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import venv
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from builder.errors import InputError
from builder.smoke import SmokeReport, prove
from builder.smoke.brief import Expected
from builder.smoke.subject import Subject, of_checks
from builder.smoke.target import Local
from builder.ui import Ui
from tests.conftest import REPO, document

VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
NO_GPU = "this machine shows no GPU (no /dev/nvidia0 or /dev/dxg, and no driver that counts one)"
EXPECTED = Expected(
    name="made",
    python=VERSION,
    interpreter="/usr/bin/python3",
    site_packages="",
    libraries=(),
    gpus=(),
    cuda=None,
    pins={"made": "1.0"},
)
SUBJECT = Subject(stack="made", checks=("python", "gpu"), expected=EXPECTED, lock="of a test")


@pytest.fixture
def python(tmp_path: Path) -> Path:
    """The interpreter of a virtual environment that holds one distribution, made 1.0."""
    venv.create(tmp_path / "venv")
    site = tmp_path / "venv" / "lib" / f"python{VERSION}" / "site-packages"
    (site / "made-1.0.dist-info").mkdir()
    (site / "made-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: made\nVersion: 1.0\n")
    return tmp_path / "venv" / "bin" / "python"


@pytest.fixture
def on_this_machine(python: Path, tmp_path: Path) -> Callable[..., SmokeReport]:
    """Run smoke tests on this machine with that interpreter."""

    def run(subject: Subject = SUBJECT, gpu: str = "auto") -> SmokeReport:
        return prove(Local.find(str(python)), subject, tmp_path / "out", Ui(), gpu=gpu)  # type: ignore[arg-type]

    return run


def outcomes(report: SmokeReport, outcome: str) -> dict[str, str]:
    return {one.test.removeprefix("test_"): one.reason for one in report.results if one.outcome == outcome}


@pytest.fixture
def no_gpu() -> None:
    if list(Path("/dev").glob("nvidia[0-9]*")) or Path("/dev/dxg").exists():
        pytest.skip("this machine has a GPU")


def test_what_a_machine_promises_is_judged_and_the_rest_skipped_with_its_reason(on_this_machine, python, no_gpu):
    before = sorted(python.parents[1].rglob("*"))
    report = on_this_machine()
    assert report.green
    assert set(outcomes(report, "passed")) == {
        "python_has_the_version_of_the_stack",
        "every_locked_package_is_installed_at_its_locked_version",
        "a_client_that_trusts_the_systems_store_alone_finds_roots_there",
    }
    skipped = outcomes(report, "skipped")
    assert skipped.pop("the_driver_shows_a_gpu") == skipped.pop("the_stack_covers_the_compute_capability") == NO_GPU
    assert set(skipped.values()) == {"an image or a container promises this, the machine itself does not"}
    assert len(skipped) == 7
    messages = {skip.attrib["message"] for skip in ET.parse(report.junit).getroot().iter("skipped")}
    assert messages == {NO_GPU, *skipped.values()}
    assert sorted(python.parents[1].rglob("*")) == before, "a probe wrote to the environment that it looked at"


def test_evidence_names_the_interpreter_and_has_neither_engine_nor_image(on_this_machine, python):
    evidence = json.loads(on_this_machine().evidence.read_text())
    assert (evidence["target"], evidence["name"], evidence["engine"]) == ("local", "this machine", None)
    assert (evidence["stack"], evidence["lock"], evidence["image_id"]) == ("made", "of a test", "")
    assert evidence["python"]["executable"] == str(python)
    assert evidence["python"]["version"].startswith(f"{VERSION}.")
    assert evidence["probes"]["python"]["seconds"] > 0


def test_what_a_machine_lacks_is_red(on_this_machine):
    report = on_this_machine(replace(SUBJECT, expected=replace(EXPECTED, python="3.1", pins={"made": "2.0"})))
    failed = outcomes(report, "failed")
    assert failed.keys() == {
        "python_has_the_version_of_the_stack",
        "every_locked_package_is_installed_at_its_locked_version",
    }
    assert "locked but not installed: made==2.0; installed: made==1.0" in failed.popitem()[1]


def test_without_a_stack_nothing_is_compared(on_this_machine):
    report = on_this_machine(of_checks(["python"]))
    assert not report.green
    reasons = set(outcomes(report, "skipped").values())
    assert "no stack is named, so there is nothing to compare with" in reasons
    assert report.skipped == len(report.results)


def test_require_fails_for_want_of_a_gpu_and_for_nothing_else(on_this_machine, no_gpu):
    report = on_this_machine(gpu="require")
    assert not report.green
    assert set(outcomes(report, "failed").values()) == {f"GPU=require, but the test cannot run: {NO_GPU}"}
    assert (report.passed, report.failed, report.skipped) == (3, 2, 7)


def test_require_without_a_test_that_needs_a_gpu_is_an_error(on_this_machine, tmp_path):
    with pytest.raises(InputError, match=r"GPU=require, but no test of python runs on a GPU.*onnxruntime_gpu.*torch"):
        on_this_machine(replace(SUBJECT, checks=("python",)), gpu="require")
    assert not (tmp_path / "out").exists()


def test_a_gpu_that_is_hidden_is_not_looked_for(on_this_machine, monkeypatch):
    assert set(outcomes(on_this_machine(of_checks(["gpu"]), "none"), "skipped").values()) == {
        "GPU=none: no GPU was asked for"
    }
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    hidden = outcomes(on_this_machine(of_checks(["gpu"])), "skipped")
    assert set(hidden.values()) == {"CUDA_VISIBLE_DEVICES hides every GPU of this machine"}


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("#!/bin/sh\necho odd >&2; exit 3\n", r"does not run in this machine.*ended with code 3: odd"),
        ('#!/bin/sh\necho \'{"version": "3.7.17"}\'\n', r"is Python 3\.7\.17; the probes need 3\.8 or newer"),
    ],
)
def test_an_interpreter_that_cannot_run_the_probes_is_refused(script, message, tmp_path):
    fake = tmp_path / "python3"
    fake.write_text(script)
    fake.chmod(0o755)
    with pytest.raises(InputError, match=message):
        prove(Local.find(str(fake)), of_checks(["gpu"]), tmp_path / "out", Ui())


def test_ctrl_c_ends_the_probe_and_removes_its_folder(python, tmp_path):
    slow = tmp_path / "venv" / "lib" / f"python{VERSION}" / "site-packages" / "cv2.py"
    slow.write_text(f"import os, time; open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid())); time.sleep(600)\n")
    command = [sys.executable, "-m", "builder", "smoke", "--host", "local", "--checks", "opencv"]
    command += ["--python", str(python), "--out", str(tmp_path / "out")]
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    environment = {**os.environ, "TMPDIR": str(temporary)}
    with subprocess.Popen(command, cwd=REPO, env=environment, start_new_session=True) as process:
        end = time.monotonic() + 60
        while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
            assert time.monotonic() < end, "the probe never began"
            time.sleep(0.1)
        os.killpg(process.pid, signal.SIGINT)
    assert process.returncode == 130
    assert list(temporary.iterdir()) == []
    state = Path("/proc", (tmp_path / "pid").read_text(), "stat")
    assert not state.exists() or state.read_text().rpartition(")")[2].split()[0] == "Z"


def runtime(folder: Path) -> None:
    """Fill a folder with links to what the project needs at run time, and to nothing else."""
    missing, seen = ["modelstacks"], set()
    while missing:
        name = missing.pop()
        found = distribution(name)
        for text in found.requires or ():
            need = Requirement(text)
            if (not need.marker or need.marker.evaluate({"extra": ""})) and need.name not in seen:
                seen.add(need.name)
                missing.append(need.name)
        for top in {path.parts[0] for path in found.files or () if name != "modelstacks" and path.parts[0] != ".."}:
            link = folder / top
            if not link.exists() and top != "__pycache__":
                link.symlink_to(Path(str(found.locate_file(top))))


def test_only_the_runtime_dependencies_are_needed_beside_a_machines_own_python(python, tmp_path, no_gpu):
    site = tmp_path / "runtime"
    site.mkdir()
    runtime(site)
    assert not (site / "mypy").exists()
    command = [str(python), "-m", "builder", "--json", "smoke", "--host", "local", "--checks", "torch,torchvision"]
    command += ["--gpu", "require", "--out", str(tmp_path / "out")]
    path = f"{python.parent}:/usr/bin:/bin"  # no docker is needed
    done = subprocess.run(
        command,
        cwd=REPO,
        env={"PATH": path, "PYTHONPATH": str(site), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    (report,) = document(done, code=1)["reports"]
    assert report["python"]["executable"].startswith(str(python.parent)), "python3 is the one on PATH"
    on_gpu, others = ([one for one in report["results"] if one["needs_gpu"] is needs] for needs in (True, False))
    assert {one["reason"] for one in on_gpu} == {f"GPU=require, but the test cannot run: {NO_GPU}"}
    assert any("No module named" in one["reason"] for one in others)
