"""Several stacks at once, through the command line: what fails stops no other, and Ctrl-C ends all."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from builder.engine.client import Engine
from builder.many.run import in_turn, width
from builder.settings import load
from builder.spec import Stacks
from tests.conftest import HOME, REPO, cli, document, remove_images, write_stack


def test_one_that_fails_stops_no_other_and_the_summary_names_it(engine: Engine, tiny: Path, tmp_path: Path) -> None:
    write_stack(tmp_path, "alike", packages=["six==1.17.0"])
    write_stack(tmp_path, "broken", packages=["six==99.99"])
    words = ["--json", "--stacks", str(tiny), "--stacks", str(tmp_path), "stack", "tiny", "broken", "alike"]
    try:
        done = cli(*words, "--gpu", "none", "--at-once", "2")
        rows = document(done, code=1)["stacks"]
        assert [(row["stack"], row["state"]) for row in rows] == [
            ("tiny", "made"),
            ("broken", "failed"),
            ("alike", "made"),
        ]
        assert rows[0]["image"]["id"] == rows[0]["smoke"]["image_id"]
        assert "six" in json.dumps(rows[1]["errors"])
        assert "1 of 3 stacks failed: broken" in done.stderr
        assert json.loads((HOME / "build" / "stacks.json").read_text())["stacks"] == rows
        suite = ET.parse(HOME / "build" / "stacks.junit.xml").getroot()
        assert (suite.get("tests"), suite.get("failures")) == ("3", "1")
        (failed,) = suite.findall("testcase/failure")
        assert "six" in (failed.text or "")
        assert "==>" in Path(rows[2]["log"]).read_text()
    finally:
        remove_images(engine, "alike")


def test_told_to_stop_it_ends_every_process(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_stack(tmp_path, name, packages=["torch==2.7.1"])
    words = [sys.executable, "-m", "builder", "--stacks", str(tmp_path), "stack", "one", "two", "--at-once", "2"]
    mark = {"MODELSTACKS_TEST_MARK": str(tmp_path)}
    with subprocess.Popen(words, cwd=REPO, env={**os.environ, **mark}, stderr=subprocess.PIPE, text=True) as run:
        for line in run.stderr or ():
            if line.startswith(("two |", "one |")):
                break
        run.send_signal(signal.SIGINT)
        said = run.stderr.read() if run.stderr else ""
        assert run.wait(60) == 130, said
    end = time.monotonic() + 10
    while (left := _marked(str(tmp_path))) and time.monotonic() < end:
        time.sleep(0.1)
    assert left == []


def _marked(mark: str) -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (path / "environ").read_text(errors="replace"):
                found.append((path / "cmdline").read_text())
        except OSError:
            continue
    return found


def test_the_longest_begins_first_and_one_that_was_never_built_before_it(tmp_path: Path) -> None:
    settings = load(environ={**os.environ, "MODELSTACKS_HOME": str(tmp_path)}, stacks=(tmp_path / "stacks",))
    took = {"short": 1.5, "long": 40, "middle": 9, "new": None, "torn": None}
    for name, seconds in took.items():
        write_stack(tmp_path / "stacks", name, packages=["six==1.17.0"])
        record = tmp_path / "build" / name / "made.json"
        record.parent.mkdir(parents=True)
        if name != "new":
            record.write_text(json.dumps({"seconds": {"build": seconds}}) if seconds else '{"seconds": [')
    order = in_turn(Stacks(settings).named(list(took)), settings)
    assert [one.name for one in order] == ["new", "torn", "long", "middle", "short"]


@pytest.mark.parametrize(("wanted", "most"), [(1, 1), (1000, 8), (0, 8)])
def test_no_more_run_than_the_machine_bears(wanted: int, most: int) -> None:
    assert 1 <= width(wanted, load()) <= most
