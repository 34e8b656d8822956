"""What `list` shows of a lock is what the lock says, and a lock that is none is seen at a glance too."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from pydantic import ValidationError

from builder.errors import InputError
from builder.lock import read, store
from builder.lock.glance import glance
from builder.lock.schema import Deb, Tool
from builder.settings.program import SHIPPED
from tests.conftest import cli, document

LOCKED = sorted(path.parent.name for path in SHIPPED.glob(f"*/{store.PYLOCK}"))


@pytest.mark.parametrize("name", LOCKED)
def test_a_glance_says_of_a_shipped_lock_what_reading_it_does(name: str) -> None:
    lock, seen = read(SHIPPED / name), glance(SHIPPED / name)
    assert (seen.inputs, seen.whole) == (lock.inputs, not lock.unresolved)
    wanted = [(f"{one.folder}/{one.filename}", one.size) for one in lock.artifacts()]
    assert seen.files
    assert sorted(seen.files) == sorted(wanted)


@pytest.mark.parametrize(
    ("file", "before", "after"),
    [
        (store.STACK_LOCK, "version = 1", "version = 2"),
        (store.STACK_LOCK, 'stack = "mine"', 'stack = "other"'),
        (store.STACK_LOCK, "inputs = ", "outputs = "),
        (store.STACK_LOCK, "tools = [", "tools = 3\nmore = ["),
        (store.STACK_LOCK, 'file = "', 'file = "../../'),
        (store.STACK_LOCK, "size = ", "size = 'x' #"),
        (store.STACK_LOCK, "[routes]", "[routes"),
        (store.PYLOCK, "created-by", "made-by"),
    ],
)
def test_a_damaged_lock_is_told_and_listed_as_that(tmp_path: Path, file: str, before: str, after: str) -> None:
    folder = tmp_path / "mine"
    shutil.copytree(SHIPPED / "families", tmp_path / "families")
    shutil.copytree(SHIPPED / "onnx-cpu", folder)
    lock = folder / store.STACK_LOCK
    lock.write_text(lock.read_text().replace('stack = "onnx-cpu"', 'stack = "mine"'))
    assert glance(folder).files
    text = (folder / file).read_text()
    assert before in text
    (folder / file).write_text(text.replace(before, after, 1))
    with pytest.raises(InputError):
        glance(folder)
    listed = document(cli("--json", "--stacks", str(tmp_path), "list"))["stacks"]
    assert [one["lock"] for one in listed if one["name"] == "mine"] == ["damaged"]


def test_a_folder_without_a_lock_is_told(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    with pytest.raises(InputError, match="has no lock yet"):
        glance(tmp_path / "mine")


def test_rows_that_say_the_same_are_one_value_and_others_are_judged_anew() -> None:
    row = {
        "name": "one",
        "version": "1",
        "file": "a.deb",
        "size": 1,
        "sha256": "0" * 64,
        "origin": "https://example.org/a",
    }
    one = Deb.model_validate(row)
    assert Deb.model_validate(dict(row)) is one and one.artifact is one.artifact
    assert Deb.model_validate(row | {"size": 2}).size == 2
    with pytest.raises(ValidationError, match="does not come from"):
        Tool.model_validate(row)
    for size in (True, 1.0, "1"):
        with pytest.raises(ValidationError, match="size"):
            Deb.model_validate(row | {"size": size})
    assert Deb.model_validate(row) is one
