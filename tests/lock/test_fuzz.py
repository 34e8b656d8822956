"""Locks, origins and names made up by hypothesis and at random: what is taken is plain, the rest is refused by name."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from pydantic import TypeAdapter, ValidationError

from builder.errors import InputError
from builder.files import sha256_text
from builder.lock import StackLock, store
from builder.lock import schema as rows
from builder.lock.schema import LockFile
from builder.origin import Origin
from builder.spec import tomldoc
from tests.conftest import REPO
from tests.lock.test_store import everything

BRIEF = settings(max_examples=300, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
HEADS = [
    "index:",
    "archive:debian/",
    "git+https://h/a@",
    "https://h/",
    "hf:A/b@",
    "member:a.zip/",
    "registry:h/",
    "built:",
]
TEXT = some.text(max_size=80) | some.from_regex(r"[-a-z0-9./:@=\n ]{0,60}", fullmatch=True)
SCALAR: Any = some.none() | some.booleans() | some.integers() | some.floats() | TEXT | some.dates()
KEY = some.text(min_size=1, max_size=8)
TOML: Any = some.recursive(
    SCALAR.filter(lambda value: value is not None),
    lambda inner: (
        some.lists(inner, max_size=3) | some.dictionaries(some.text(min_size=1, max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)


def plain(text: str) -> bool:
    """Whether a text is on one line and no option."""
    return text.isprintable() and not text.startswith("-")


@BRIEF
@given(some.sampled_from(["", "built:", *HEADS]), TEXT)
def test_an_origin_is_read_as_written_or_refused(head: str, rest: str) -> None:
    try:
        found = Origin.parse(head + rest)
    except ValueError:
        return
    assert str(found) == head + rest
    assert all(plain(part) for part in (found.place, found.revision, found.path))
    assert ".." not in found.path.split("/")


@BRIEF
@given(some.sampled_from(["Word", "FileName", "Project", "Platform", "Address", "Wanted"]), TEXT)
def test_a_text_of_a_lock_is_one_line_and_no_option(kind: str, text: str) -> None:
    try:
        TypeAdapter(getattr(rows, kind)).validate_python(text)
    except ValidationError:
        return
    assert plain(text) or kind == "Address"
    assert "\n" not in text
    assert kind not in ("FileName", "Word") or "/" not in text


@BRIEF
@given(TEXT)
def test_a_reference_of_a_base_is_no_option(text: str) -> None:
    given = {"kind": "image", "reference": text, "digest": "", "distribution": "", "include": [], "epoch": 0}
    try:
        rows.Base.model_validate(given)
    except ValidationError:
        return
    assert re.fullmatch(r"[a-z0-9][a-zA-Z0-9._:/-]*(@sha256:[0-9a-f]{64})?", text)


def held(value: dict[str, Any], path: Path) -> LockFile | None:
    """A lock of these values, or None where it is refused as it should be."""
    text = tomli_w.dumps(value)
    path.write_text(text)
    try:
        said, read = tomldoc.read(path, "fix")
        return tomldoc.held(path, said, read, LockFile, "fix")
    except InputError as error:
        assert error.fix == "fix"
        assert error.where.startswith(str(path))
        assert error.problem.isprintable()
        return None


@BRIEF
@given(some.data())
def test_a_lock_with_any_other_value_is_read_or_refused(tmp_path: Path, data: some.DataObject) -> None:
    value = document()
    table: Any = value
    key: Any = None
    while True:
        keys = sorted(table) if isinstance(table, dict) else list(range(len(table)))
        if not keys:
            break
        key = data.draw(some.sampled_from(keys))
        if not isinstance(table[key], (dict, list)) or data.draw(some.booleans()):
            table[key] = data.draw(TOML)
            break
        table = table[key]
    found = held(value, tmp_path / "stack.lock")
    if found is not None:
        assert plain(found.stack)
        assert all(plain(one.name) and plain(one.file) for one in (*found.debs, *found.sources, *found.weights))


def document() -> dict[str, Any]:
    """The values of a whole lock."""
    import tomli

    lock: StackLock = everything()
    return tomli.loads(store._lock_text(lock, sha256_text(store.pylock_text(lock))))


def test_the_lock_that_the_others_start_from_is_whole(tmp_path: Path) -> None:
    assert held(document(), tmp_path / "stack.lock") is not None


def test_damaged_locks_are_read_or_refused_for_twenty_seconds() -> None:
    command = [sys.executable, str(REPO / "tools" / "fuzz_locks.py"), "--seconds", "20"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=REPO)
    assert done.returncode == 0, done.stderr[-3000:]
    found = re.match(r"(\d+) damaged locks in 20 seconds", done.stdout)
    assert found
    assert int(found[1]) > 50


def test_the_fuzz_tells_what_is_not_answered_properly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that could not fail would show nothing."""
    monkeypatch.syspath_prepend(str(REPO / "tools"))
    import fuzz_locks  # type: ignore[import-not-found]

    def broken(_: Path) -> None:
        raise KeyError("routes")

    monkeypatch.setattr(fuzz_locks, "read_any", broken)
    with pytest.raises(KeyError):
        fuzz_locks.at_random(fuzz_locks.Reader(tmp_path), 5, 1)
