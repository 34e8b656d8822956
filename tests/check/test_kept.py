"""What `list` and `check` keep of a run is taken only where every file is what it was, and is never needed."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from builder.kept import Kept, code
from builder.lock import inputs_digest
from builder.settings import load
from builder.settings.program import SHIPPED
from builder.spec import load_stack
from tests.conftest import cli, document


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A folder of stacks with one that has findings, and its lock."""
    shutil.copytree(SHIPPED / "families", tmp_path / "stacks" / "families")
    shutil.copytree(SHIPPED / "ort-cudnn9", tmp_path / "stacks" / "mine")
    lock = tmp_path / "stacks" / "mine" / "stack.lock"
    lock.write_text(lock.read_text().replace('stack = "ort-cudnn9"', 'stack = "mine"'))
    done = cli("--json", "--stacks", str(tmp_path / "stacks"), "list")
    assert [row["lock"] for row in document(done)["stacks"] if row["name"] == "mine"] == ["stale"]
    return tmp_path / "stacks"


def rows(kept: Path) -> list[str]:
    """The names of what is kept in a file."""
    with closing(sqlite3.connect(kept)) as file:
        return [name for (name,) in file.execute("SELECT name FROM kept")]


def listed(stacks: Path, cache: Path) -> str:
    done = cli("--json", "--stacks", str(stacks), "list", env={"MODELSTACKS_CACHE": str(cache)})
    return str(next(row["lock"] for row in document(done)["stacks"] if row["name"] == "mine"))


def test_a_changed_lock_is_seen_and_a_spoiled_cache_is_none(mine: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    assert listed(mine, cache) == listed(mine, cache) == "stale"
    kept = cache / "locks.sqlite"
    whole = kept.read_bytes()
    for spoiled in (b'{"given": 3', whole[:5000], whole[:4096] + b"x" * 4096 + whole[8192:]):
        kept.write_bytes(spoiled)
        assert listed(mine, cache) == listed(mine, cache) == "stale"
        assert rows(kept), "it is written anew"
    lock = mine / "mine" / "pylock.toml"
    lock.write_text(lock.read_text() + "\n# edited\n")
    assert listed(mine, cache) == "damaged"


def test_findings_are_the_same_again_and_anew_where_anything_changed(tmp_path: Path) -> None:
    cache = {"MODELSTACKS_CACHE": str(tmp_path / "cache")}
    words = ("--json", "check", "gsplat", "liveportrait", "heygem")
    first, again = document(cli(*words, env=cache)), document(cli(*words, env=cache))
    assert first == again == document(cli(*words, env={"MODELSTACKS_CACHE": str(tmp_path / "other")}))
    assert len(rows(tmp_path / "cache" / "checked.sqlite")) == 3


def test_what_a_stack_says_anew_is_judged_anew(tmp_path: Path) -> None:
    shutil.copytree(SHIPPED / "families", tmp_path / "families")
    shutil.copytree(SHIPPED / "onnx-cpu", tmp_path / "mine")
    lock, stack = tmp_path / "mine" / "stack.lock", tmp_path / "mine" / "stack.yaml"
    text = lock.read_text().replace('stack = "onnx-cpu"', 'stack = "mine"')
    digest = inputs_digest(load_stack("mine", load(stacks=(tmp_path,))))
    lock.write_text(re.sub(r'(?m)^inputs = ".*"$', f'inputs = "{digest}"', text))

    def checked(code: int = 0) -> list[str]:
        done = cli(
            "--json", "--stacks", str(tmp_path), "check", "mine", env={"MODELSTACKS_CACHE": str(tmp_path / "cache")}
        )
        said = document(done, code=code)
        return [row["problem"] for row in said["stacks"]["mine"]] if code == 0 else [said["errors"][0]["problem"]]

    assert checked() == []
    kept = tmp_path / "cache" / "checked.sqlite"
    row = {"rule": "a", "level": "warning", "problem": "kept", "cause": "", "fix": "", "source": ""}
    with closing(sqlite3.connect(kept)) as file, file:
        assert file.execute("UPDATE kept SET value = ?", (json.dumps([row]),)).rowcount == 1
    assert checked() == ["kept"], "what is kept is taken"
    stack.write_text(re.sub("(?m)^summary: .*$", "summary: Another one", stack.read_text()))
    assert checked() == [], "of another stack file it is not"
    lock.write_text(lock.read_text().replace(f'inputs = "{digest}"', f'inputs = "{"0" * 64}"'))
    assert checked(2) == ["the lock of mine is stale"]


def test_what_is_kept_is_of_one_digest(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "kept.sqlite"
    with Kept(path) as kept:
        assert kept.get("a", "1") is None
        kept.put("a", "1", [1, "two"])
    with Kept(path) as kept:
        assert kept.get("a", "1") == [1, "two"]
        assert kept.get("a", "2") is None and kept.get("b", "1") is None
        kept.put("a", "2", "three")
    with Kept(path) as kept:
        assert kept.get("a", "1") is None and kept.get("a", "2") == "three"
    assert code("check") != code("lock") and code("check") == code("check")


def test_a_cache_that_cannot_be_written_costs_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder.sqlite").mkdir()
    for path in (tmp_path / "file" / "kept.sqlite", tmp_path / "folder.sqlite"):
        with Kept(path) as kept:
            kept.put("a", "1", 1)
        with Kept(path) as kept:
            assert kept.get("a", "1") is None


def test_runs_at_once_keep_what_each_of_them_found(tmp_path: Path) -> None:
    with Kept(tmp_path / "kept.sqlite") as one, Kept(tmp_path / "kept.sqlite") as other:
        one.put("a", "1", 1)
        other.put("b", "1", 2)
    with Kept(tmp_path / "kept.sqlite") as kept:
        assert (kept.get("a", "1"), kept.get("b", "1")) == (1, 2)


def test_a_cache_that_another_run_writes_to_is_left_to_it(tmp_path: Path) -> None:
    path = tmp_path / "kept.sqlite"
    with Kept(path) as kept:
        kept.put("a", "1", 1)
    with closing(sqlite3.connect(path)) as file:
        file.execute("BEGIN IMMEDIATE")
        with Kept(path) as kept:
            assert kept.get("a", "1") == 1
            kept.put("b", "1", 2)
        file.rollback()
    with Kept(path) as kept:
        assert (kept.get("a", "1"), kept.get("b", "1")) == (1, None)
