"""Each verb reads a stack file once and looks through a folder of stacks once, however many rooms it goes through."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.cli.test_cli import VERBS
from tests.conftest import REPO

# Notes what the interpreter itself opens and lists, so that no way of reading a file is missed.
WATCHED = """
import atexit, json, os, sys
seen = []
def hook(event, arguments):
    if event in ("open", "os.listdir", "os.scandir") and isinstance(arguments[0], (str, os.PathLike)):
        seen.append((event, os.path.abspath(arguments[0])))
sys.addaudithook(hook)
atexit.register(lambda: open(os.environ["SEEN"], "w").write(json.dumps(seen)))
sys.argv[0] = "modelstacks"
from builder.cli import main
main()
"""
WORDS = {
    "smoke": ["--gpu", "none", "tiny"],
    "stack": ["--gpu", "none", "tiny"],
    "doctor": ["--only", "host", "tiny"],
    "list": [],
    "audit": ["--advisories", "tests/audit/one.json", "tiny"],
    "prune": [],
}
NO_STACKS = {"completion", "engine", "ci"}
ELSEWHERE = {"export", "import"}  # in the test after the next
REGISTRY = {"publish", "share", "verify"}  # which tests/publish and tests/verify run against a real one
MAKES = {"new"}


def seen(tmp_path: Path, stacks: Path, *words: str) -> Counter[tuple[str, str]]:
    """How often a run opened and listed each path."""
    log = tmp_path / "seen.json"
    command = [sys.executable, "-c", WATCHED, "--stacks", str(stacks), *words]
    done = subprocess.run(
        command, cwd=REPO, env={**os.environ, "SEEN": str(log)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return Counter((event, path) for event, path in json.loads(log.read_text()))


def read_once(found: Counter[tuple[str, str]], stacks: Path) -> None:
    files = {path: count for (event, path), count in found.items() if event == "open" and path.endswith("/stack.yaml")}
    assert files[str(stacks / "tiny" / "stack.yaml")] == 1
    assert set(files.values()) == {1}, files
    families = {path: count for (event, path), count in found.items() if event == "open" and "/families/" in path}
    assert set(families.values()) == {1}, families
    for folder in (stacks, REPO / "stacks"):
        assert sum(found[event, str(folder)] for event in ("os.listdir", "os.scandir")) == 1, folder


@pytest.mark.parametrize(
    "verb",
    [
        pytest.param(verb, marks=[pytest.mark.heavy] * (verb == "reproduce"))  # it builds twice
        for verb in sorted(set(VERBS) - NO_STACKS - ELSEWHERE - REGISTRY - MAKES)
    ],
)
def test_a_stack_file_is_read_once_and_its_folder_scanned_once(verb: str, tiny: Path, tmp_path: Path) -> None:
    read_once(seen(tmp_path, tiny, verb, *WORDS.get(verb, ["tiny"])), tiny)


def test_so_it_is_over_the_air_gap(tiny: Path, tmp_path: Path) -> None:
    bundle = tmp_path / "tiny.bundle.tar"
    read_once(seen(tmp_path, tiny, "export", "--out", str(bundle), "tiny"), tiny)
    found = seen(tmp_path, tiny, "import", str(bundle))
    for folder in (tiny, REPO / "stacks"):
        assert sum(found[event, str(folder)] for event in ("os.listdir", "os.scandir")) == 1, folder
