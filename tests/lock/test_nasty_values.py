"""Every value of a lock in turn is one that nobody means: it is refused in plain words, or is harmless."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import tomli

from builder.errors import InputError
from builder.files import sha256_text
from builder.lock import store
from builder.lock.service import read_any
from builder.plain import plain
from tests.lock.test_store import everything


class Raw(str):
    """A value as TOML has it, which Python's own types do not tell apart."""


NASTY: list[Any] = [
    "", "-x", "../../x", "/abs", "a\nRUN touch executed", "\u202ea", "a\0b", "a\x1b[2J", "x" * 5000, 0, -1, 10**30,
    Raw("nan"), Raw("1e400"), True, [], {}, [["a"]], Raw("1979-05-27T07:32:00Z"), Raw("07:32:00"), "\u0661", "A" * 64,
    "${HOME}", "a b", "a'b\"c", "file:///etc/passwd", "https://u:S3CRET@h/x", "\ufb01le",
]  # fmt: skip


def _toml(value: Any) -> str:
    if isinstance(value, Raw):
        return str(value)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {_toml(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_toml(inner) for inner in value) + "]"
    return json.dumps(value).replace("\x7f", "\\u007f") if isinstance(value, (str, bool)) else repr(value)


def _text(values: dict[str, Any]) -> str:
    return "".join(f"{json.dumps(key)} = {_toml(value)}\n" for key, value in values.items())


def _paths(values: Any, above: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Every key of every table, and of the first table of every list."""
    inner = values.items() if isinstance(values, dict) else enumerate(values[:1]) if isinstance(values, list) else ()
    return [path for key, value in inner for path in [(*above, key), *_paths(value, (*above, key))]]


def _with(values: dict[str, Any], path: tuple[str | int, ...], value: Any) -> dict[str, Any]:
    made = copy.deepcopy(values)
    part: Any = made
    for key in path[:-1]:
        part = part[key]
    part[path[-1]] = value
    return made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "stacks" / "one"
    store.write(path, everything())
    return path


@pytest.mark.parametrize("value", NASTY, ids=lambda value: ascii(value)[:24])
@pytest.mark.parametrize("name", ["stack.lock", "pylock.toml"])
def test_a_nasty_value_anywhere_is_refused_in_plain_words_or_harmless(name: str, value: Any, folder: Path) -> None:
    values = {file: tomli.loads((folder / file).read_text()) for file in ("stack.lock", "pylock.toml")}
    read_any(folder)
    refused = 0
    for path in _paths(values[name]):
        texts = {file: _text(_with(told, path, value) if file == name else told) for file, told in values.items()}
        if name == "pylock.toml":  # as who changes one file can change the other
            texts["stack.lock"] = _text(values["stack.lock"] | {"pylock": sha256_text(texts["pylock.toml"])})
        for file, text in texts.items():
            (folder / file).write_text(text)
        try:
            read_any(folder)
        except InputError as error:
            refused += 1
            assert error.fix and str(folder) in error.where
            assert str(error) == plain(str(error)) and "S3CRET" not in str(error), path
    assert refused > len(_paths(values[name])) / 3, "most values are held to a form"
