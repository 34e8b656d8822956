"""A running container as the target: it is judged as an image is, and nothing in it is changed."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from builder.errors import InputError, JobError
from builder.inside import ProbeError
from builder.smoke import SmokeReport, prove
from builder.smoke.brief import Probes
from builder.smoke.subject import of_checks, of_stack
from builder.smoke.target import VENV, Container, Image
from builder.ui import Ui
from tests.conftest import IMAGES


@pytest.fixture
def container(engine, image) -> Iterator[Callable[..., str]]:
    """Start a container of the image; all are removed at the end."""
    names = []

    def start(*options: str) -> str:
        names.append(f"modelstacks-test-{secrets.token_hex(4)}")
        words = ["run", "-d", "--rm", "--network", "none", "--name", names[-1], *options]
        engine.run([*words, "--entrypoint", "sleep", image, "600"])
        return names[-1]

    yield start
    for name in names:
        engine.run(["rm", "-f", name], check=False)


@pytest.fixture
def judge_running(engine, tmp_path) -> Callable[..., SmokeReport]:
    def run(name: str, subject, gpu: str = "auto") -> SmokeReport:
        target = Container.find(engine, name, VENV if subject.stack else "python3")
        return prove(target, subject, tmp_path, Ui(), gpu=gpu)  # type: ignore[arg-type]

    return run


def test_a_running_container_is_judged_and_left_as_it_is(judge_running, container, engine, image, stack, lock):
    name = container()
    report = judge_running(name, of_stack(stack, lock))
    assert report.green, [(one.test, one.reason) for one in report.results if one.outcome != "passed"]
    left = {one.reason for one in report.results if one.outcome == "skipped"}
    assert left == {"an image promises this, a container does not"}
    assert {one.check for one in report.results} == {*stack.smoke, "imports"}
    assert engine.run(["diff", name]).stdout == ""
    assert engine.run(["exec", name, "ls", "-A", "/dev/shm"]).stdout == ""
    assert len(engine.run(["top", name]).stdout.splitlines()) == 2, "a probe is left in the container"
    evidence = json.loads(report.evidence.read_text())
    assert (evidence["target"], evidence["name"]) == ("container", name)
    assert (evidence["image_id"], evidence["lock"]) == (engine.image(image).id, lock.digest)
    assert evidence["engine"]["version"] == engine.info.version


def test_a_gpu_that_a_container_shows_and_cannot_use_is_red(judge_running, container):
    plain = judge_running(name := container(), of_checks(["gpu"]))
    assert {one.reason for one in plain.results if one.outcome == "skipped"} == {
        f"{name} shows no GPU (no /dev/nvidia0 or /dev/dxg, and no driver that counts one)"
    }
    # a device node without a driver's libraries, as a container started without the NVIDIA toolkit has it
    report = judge_running(container("--device", "/dev/null:/dev/nvidia0"), of_checks(["gpu"]))
    failed = {one.test: one.reason for one in report.results if one.outcome == "failed"}
    assert "libcuda.so.1: cannot open shared object file" in failed["test_the_driver_shows_a_gpu"]
    assert json.loads(report.evidence.read_text())["devices"] == []


def test_a_container_that_cannot_be_tested_is_refused(judge_running, container, engine):
    paused = container()
    engine.run(["pause", paused])
    with pytest.raises(InputError, match=rf"does not run: it is paused.*docker unpause {paused}.*--image {IMAGES}/"):
        judge_running(paused, of_checks(["opencv"]))
    engine.run(["unpause", paused])
    without_memory = container("--ipc", "none")
    with pytest.raises(InputError, match=r"no writable /dev/shm.*--image sha256:"):
        judge_running(without_memory, of_checks(["opencv"]))
    other = container()
    with pytest.raises(InputError, match=r"/no/python does not run in .*--python PATH"):
        prove(Container.find(engine, other, "/no/python"), of_checks(["opencv"]), None, Ui())  # type: ignore[arg-type]


def test_a_probe_that_nobody_waits_for_ends_by_itself(container, engine, monkeypatch, tmp_path):
    monkeypatch.setattr("builder.smoke.brief.PROBE_SECONDS", 12)
    monkeypatch.setattr("builder.inside.probe.GRACE", -8)
    monkeypatch.setattr("builder.smoke.brief._PROBES", tmp_path)
    (tmp_path / "interpreter.py").write_text("import time\ntime.sleep(600)\n")
    name = container()
    target = Container.find(engine, name, "python3")
    with pytest.raises(InputError, match="gave no answer within 12 s"), target.started("auto"):
        pass
    assert "<probe interpreter>" in engine.run(["top", name]).stdout
    end = time.monotonic() + 60
    while "<probe interpreter>" in engine.run(["top", name]).stdout:
        assert time.monotonic() < end, "the probe runs on in a container that is not ours"
        time.sleep(0.2)


def test_a_named_image_is_held_against_a_stack_or_against_nothing(engine, variant, image, stack, lock, tmp_path):
    numpy = "/opt/venv/lib/python3.11/site-packages/numpy-1.26.4.dist-info/METADATA"
    other = variant(f"RUN sed -i 's/^Version: 1.26.4/Version: 1.26.3/' {numpy}")
    of = f"image-{secrets.token_hex(4)}"
    target = Image.find(engine, other, VENV, of=of, fix="")
    against = prove(target, of_stack(stack, lock, ["python", "opencv"]), tmp_path / "stack", Ui(), gpu="none")
    failed = {one.test: one.reason for one in against.results if one.outcome == "failed"}
    assert failed.keys() == {"test_every_locked_package_is_installed_at_its_locked_version"}
    assert (against.stack, against.target, against.name) == (stack.name, "image", other)

    alone = prove(
        replace(target, python="python3"), of_checks(["python", "opencv"]), tmp_path / "alone", Ui(), gpu="none"
    )
    assert alone.green
    assert "no stack is named" in next(one.reason for one in alone.results if one.outcome == "skipped")
    evidence = json.loads(alone.evidence.read_text())
    assert (evidence["stack"], evidence["lock"], evidence["checks"]) == ("", "", ["python", "opencv"])
    assert engine.run(["ps", "-aq", "--filter", f"name=modelstacks-smoke-{of}"]).stdout == ""


def test_an_image_of_ours_whose_python_does_not_start_is_a_failed_job(judge, variant):
    with pytest.raises(JobError, match=r"/opt/venv/bin/python does not run.*build the image anew"):
        judge(variant("RUN rm /opt/venv/bin/python"), smoke=("opencv",))


def test_a_probe_error_is_no_answer(engine, container):
    target = Container.find(engine, container(), "python3")
    with target.started("none") as ready:
        probes = Probes(ready.place)
        with pytest.raises(ProbeError, match=r"probe gpu ended with code 1: (?s:.*)libcuda"):
            probes("gpu")
        assert "libcuda" in probes.stderr["gpu"]
