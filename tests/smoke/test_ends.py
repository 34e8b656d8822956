"""However a run ends, it says so and leaves no container."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from builder.inside import Place, ProbeError
from builder.smoke import brief
from builder.smoke.brief import Probes
from tests.conftest import REPO
from tests.smoke.conftest import Variant

SLOW = "RUN echo 'import time; time.sleep(600)' > /opt/venv/lib/python3.11/site-packages/cv2/__init__.py"
RUN = """
import sys
from pathlib import Path
from dataclasses import replace
from builder import settings as site
from builder.engine.client import Engine
from builder.lock import read
from builder.smoke import smoke
from builder.spec.stacks import load_stack, stack_folder
from builder.ui import Ui
image, name, home = sys.argv[1:]
stack = load_stack("onnx-cpu", site.load())
lock = read(stack_folder("onnx-cpu", site.load()))
stack = stack.model_copy(update={"name": name, "smoke": ("opencv",)})
try:
    smoke(stack, lock, image, replace(site.load(), home=Path(home)), Ui(), Engine.connect(), gpu="none")
except KeyboardInterrupt:
    sys.exit(130)
"""


@pytest.fixture(scope="module")
def slow(variant: Variant) -> str:
    """An image whose cv2 takes ten minutes to import."""
    return variant(f"{SLOW}\nRUN rm -rf /opt/venv/lib/python3.11/site-packages/cv2/__pycache__")


def wait_for(condition, what: str):
    """The first true answer of condition; a minute is the end of patience, not a measure of speed."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if answer := condition():
            return answer
        time.sleep(0.1)
    return pytest.fail(f"never happened: {what}")


def test_ctrl_c_removes_the_container_and_keeps_the_last_report(slow, stack, engine, containers, tmp_path) -> None:
    report = tmp_path / "build" / stack.name / "smoke" / "evidence.json"
    report.parent.mkdir(parents=True)
    report.write_text("of an earlier run")
    command = [sys.executable, "-c", RUN, slow, stack.name, str(tmp_path)]
    with subprocess.Popen(command, start_new_session=True, stderr=subprocess.PIPE, text=True) as process:
        (container,) = wait_for(containers, "a container")
        wait_for(
            lambda: "<probe opencv>" in engine.run(["top", container], check=False).stdout, "a probe in the container"
        )
        limits = json.loads(engine.run(["inspect", container]).stdout)[0]["HostConfig"]
        os.killpg(process.pid, signal.SIGINT)
        process.communicate()
    assert (limits["NetworkMode"], limits["ReadonlyRootfs"], limits["Tmpfs"]) == ("none", True, {"/tmp": "exec"})
    assert process.returncode == 130
    assert containers() == []
    assert report.read_text() == "of an earlier run"
    assert [path.name for path in report.parent.iterdir()] == ["evidence.json"]


def test_a_probe_without_an_answer_is_ended_and_said(slow, engine, monkeypatch) -> None:
    monkeypatch.setattr(brief, "PROBE_SECONDS", 1)
    container = engine.run(
        ["run", "-d", "--rm", "--network", "none", "--entrypoint", "sleep", slow, "600"]
    ).stdout.strip()
    try:
        probe = Probes(
            Place(
                python="/opt/venv/bin/python",
                environment={},
                endpoint=engine.endpoint,
                container=container,
            )
        )
        for _ in range(2):
            with pytest.raises(ProbeError, match="probe opencv gave no answer within 1 s"):
                probe("opencv")
        monkeypatch.undo()
        assert probe("python")["prefix"] == "/opt/venv"
    finally:
        engine.run(["rm", "-f", container])


@pytest.mark.parametrize(
    ("folder", "version"),
    [("smoke/probes", (3, 8)), ("doctor/container/probes", (3, 7)), ("inside/sent", (3, 7))],
)
def test_every_probe_parses_as_the_oldest_python_that_runs_it(folder: str, version: tuple[int, int]) -> None:
    import ast

    probes = sorted((REPO / "builder" / folder).glob("[a-z]*.py"))
    assert len(probes) >= 2
    for path in probes:
        ast.parse(path.read_text(), filename=str(path), feature_version=version)
