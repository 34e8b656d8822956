"""What `list` and `check` keep of a run is taken only where every file is what it was, and is never needed."""

from __future__ import annotations

import json
import re
import shutil
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


def listed(stacks: Path, cache: Path) -> str:
    done = cli("--json", "--stacks", str(stacks), "list", env={"MODELSTACKS_CACHE": str(cache)})
    return str(next(row["lock"] for row in document(done)["stacks"] if row["name"] == "mine"))


def test_a_changed_lock_is_seen_and_a_spoiled_cache_is_none(mine: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    assert listed(mine, cache) == listed(mine, cache) == "stale"
    kept = list((cache / "locks").iterdir())
    assert kept
    for path in kept:
        path.write_text('{"given": 3')
    assert listed(mine, cache) == "stale"
    lock = mine / "mine" / "pylock.toml"
    lock.write_text(lock.read_text() + "\n# edited\n")
    assert listed(mine, cache) == "damaged"


def test_findings_are_the_same_again_and_anew_where_anything_changed(tmp_path: Path) -> None:
    cache = {"MODELSTACKS_CACHE": str(tmp_path / "cache")}
    words = ("--json", "check", "gsplat", "liveportrait", "heygem")
    first, again = document(cli(*words, env=cache)), document(cli(*words, env=cache))
    assert first == again == document(cli(*words, env={"MODELSTACKS_CACHE": str(tmp_path / "other")}))
    assert len(list((tmp_path / "cache" / "checked").iterdir())) == 3


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
    (kept,) = (tmp_path / "cache" / "checked").iterdir()
    row = {"rule": "a", "level": "warning", "problem": "kept", "cause": "", "fix": "", "source": ""}
    kept.write_text(json.dumps(json.loads(kept.read_text()) | {"value": [row]}))
    assert checked() == ["kept"], "what is kept is taken"
    stack.write_text(re.sub("(?m)^summary: .*$", "summary: Another one", stack.read_text()))
    assert checked() == [], "of another stack file it is not"
    lock.write_text(lock.read_text().replace(f'inputs = "{digest}"', f'inputs = "{"0" * 64}"'))
    assert checked(2) == ["the lock of mine is stale"]


def test_what_is_kept_is_of_one_digest(tmp_path: Path) -> None:
    kept = Kept(tmp_path / "kept")
    assert kept.get("a", "1") is None
    kept.put("a", "1", [1, "two"])
    assert kept.get("a", "1") == [1, "two"]
    assert kept.get("a", "2") is None and kept.get("b", "1") is None
    assert code("check") != code("lock") and code("check") == code("check")


def test_a_cache_that_cannot_be_written_costs_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    kept = Kept(tmp_path / "file" / "kept")
    kept.put("a", "1", 1)
    assert kept.get("a", "1") is None
