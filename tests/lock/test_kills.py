"""Locks that are stopped at a named point inside; what is there afterwards is a lock, the old one or the new one."""

from __future__ import annotations

import json
import os
import pickle
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from builder import settings as site
from builder.lock import base, read, store
from builder.settings import Settings
from builder.spec import load_stack
from tests.conftest import REPO
from tests.lock.conftest import FAMILY, Index, MakeStack, wheel
from tests.stopped import aside, at, code_of, stopped, tree, until

POINTS = {
    "while uv resolves": ("builder.lock.run_uv:_uv_once", "", 1),
    "while apt resolves": ("builder.lock.apt:Apt.install", "", 1),
    "before both files": ("builder.files:os.fsync", "", 1),
    "before pylock.toml": ("pathlib:Path.replace", r"pylock\.toml'\)\)", 1),
    "between the two": ("pathlib:Path.replace", r"stack\.lock'\)\)", 1),
    "after both": ("builder.lock.store:read", "", 3),
}


@pytest.fixture
def environment(settings: Settings, index: Index, tmp_path: Path) -> dict[str, str]:
    """Of a run at the site: its own home, temporary folder and user's home."""
    for name in ("tmp", "user", "cache"):
        (tmp_path / name).mkdir()
    return {
        "MODELSTACKS_HOME": str(settings.home), "MODELSTACKS_STACKS": str(settings.stacks[0]),
        "MODELSTACKS_INDEX": index.url(), "CA_BUNDLE": str(settings.ca_bundle[0]), "no_proxy": "localhost",
        "MODELSTACKS_CACHE": str(tmp_path / "cache"), "TMPDIR": str(tmp_path / "tmp"), "HOME": str(tmp_path / "user"),
    }  # fmt: skip


def lock_files(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in (store.PYLOCK, store.STACK_LOCK)}


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What apt said of the stack's base, asked of Debian's real archive, once for all these tests."""
    folder = tmp_path_factory.mktemp("system")
    (folder / "families").mkdir()
    (folder / "families" / "own.yaml").write_text(json.dumps(FAMILY))
    (folder / "one").mkdir()
    (folder / "one" / "stack.yaml").write_text(json.dumps({"summary": "One", "family": "own", "packages": []}))
    settings = replace(site.load(), stacks=(folder,))
    (folder / "system").write_bytes(pickle.dumps(base.locked(load_stack("one", settings), settings)))
    return folder / "system"


@pytest.fixture
def asked_once(system: Path) -> str:
    """Code that has a run go by that, to spare the archive; the rest of the run is real."""
    return f"""
import pickle
from pathlib import Path
from builder.lock import base

def locked(*_):
    return pickle.loads(Path({str(system)!r}).read_bytes())

base.locked = locked
"""


def unstopped(before: str, words: list[str], environment: Mapping[str, str]) -> None:
    """A run of the command line to its end, after this code."""
    code = f"{before}\nimport sys\nfrom builder.cli import main\nmain()"
    command = [sys.executable, "-c", code, *words]
    done = subprocess.run(
        command, cwd=REPO, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture
def folder(index: Index, make_stack: MakeStack, environment: dict[str, str], asked_once: str) -> Path:
    """A stack's folder, locked with alpha 1.0, where the index has 2.0 by now."""
    index.add(wheel("alpha", "1.0"))
    folder = make_stack("alpha").folder
    unstopped(asked_once, ["lock", "one"], environment)
    index.add(wheel("alpha", "2.0"))
    return folder


@at(POINTS, "between the two")
def test_a_lock_that_is_stopped_is_the_old_one_or_the_new_one(
    folder: Path, settings: Settings, environment: dict[str, str], asked_once: str, tmp_path: Path, number: int,
    point: str,
) -> None:  # fmt: skip
    old = read(folder)
    words = ["lock", "one", "--upgrade"]
    known = "" if point == "while apt resolves" else asked_once
    with stopped(POINTS[point], words, tmp_path / "stop", env=environment, before=known) as run:
        now = read(folder)
        assert (now == old) == (point != "after both"), "whoever reads meanwhile reads a whole lock"
        code, said = run.ended(number)
    assert code == code_of(number), said
    assert "Traceback" not in said
    now = read(folder)
    assert [item.version for item in now.wheels] in (["1.0"], ["2.0"])
    if number == signal.SIGKILL:
        assert (now == old) == (point != "after both")
    unstopped(asked_once, words, environment)
    assert [item.version for item in read(folder).wheels] == ["2.0"]
    assert sorted(path.name for path in folder.iterdir()) == ["pylock.toml", "stack.lock", "stack.yaml"]
    assert not aside(settings.home, folder)
    assert not tree(tmp_path / "tmp")


def test_a_lock_that_is_fresh_puts_back_what_a_kill_exchanged(
    folder: Path, environment: dict[str, str], asked_once: str, tmp_path: Path
) -> None:
    old = lock_files(folder)
    inside = stopped(
        POINTS["between the two"], ["lock", "one", "--upgrade"], tmp_path / "stop", env=environment, before=asked_once
    )
    with inside as run:
        run.at_once()
    assert lock_files(folder)[store.PYLOCK] != old[store.PYLOCK]
    assert store.texts(folder, read(folder)) == {name: data.decode() for name, data in old.items()}
    unstopped(asked_once, ["lock", "one"], environment)
    assert lock_files(folder) == old
    assert not list(folder.glob(".*before"))


def test_two_locks_of_two_homes_do_not_take_each_others_place(
    folder: Path, environment: dict[str, str], asked_once: str, tmp_path: Path
) -> None:
    other = {**environment, "MODELSTACKS_HOME": str(tmp_path / "other")}
    words = ["lock", "one", "--upgrade"]
    point = ("builder.lock.store:write", "", 1)
    with stopped(point, words, tmp_path / "stop", env=environment, before=asked_once) as run:
        unstopped(asked_once, words, other)
        new = lock_files(folder)
        code, said = run.ended()
    assert code == 1 and "another run wrote this lock meanwhile" in said, said
    assert lock_files(folder) == new


def test_two_undisturbed_locks_differ_in_their_epoch_alone(
    index: Index, make_stack: MakeStack, settings: Settings, environment: dict[str, str], asked_once: str
) -> None:
    index.add(wheel("alpha", "1.0"))
    folder = make_stack("alpha").folder
    found: list[dict[str, bytes]] = []
    for more in ({}, {}, {"SOURCE_DATE_EPOCH": "1700000000"}, {"SOURCE_DATE_EPOCH": "1700000000"}):
        for name in (store.PYLOCK, store.STACK_LOCK):
            (folder / name).unlink(missing_ok=True)
        if len(found) == 1:
            until(lambda: int(time.time()) > read_epoch(found[0]))
        unstopped(asked_once, ["lock", "one"], {**environment, **more})
        found.append(lock_files(folder))
    first, second, third, fourth = found
    assert third == fourth and first[store.PYLOCK] == second[store.PYLOCK]
    lines = [one[store.STACK_LOCK].splitlines() for one in (first, second)]
    differ = [pair for pair in zip(*lines, strict=True) if pair[0] != pair[1]]
    assert len(differ) == 1 and all(line.startswith(b"epoch = ") for line in differ[0])


def read_epoch(files: Mapping[str, bytes]) -> int:
    return int(re.findall(rb"^epoch = (\d+)$", files[store.STACK_LOCK], re.M)[0])
