"""A TOML file of ours: read within bounds, held to a model, and its faults told by file and line."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, TypeVar

import rtoml
import tomli
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from builder.errors import InputError, InputErrors
from builder.files import read_bounded
from builder.spec.explain import spoken
from builder.spec.yamldoc import Keys, readable

LIMIT = 8 << 20  # bytes; the largest shipped lock has 115 kB
_MOST = 8  # faults told at once

_Model = TypeVar("_Model", bound=BaseModel)


def read(path: Path, fix: str) -> tuple[str, dict[str, Any]]:
    """The text of a TOML file and what it says. Raises InputError, with this fix, where it cannot be read."""
    try:
        text = read_bounded(path, LIMIT).decode().replace("\r\n", "\n")
        return text, parsed(text)
    except FileNotFoundError:
        raise InputError("it is missing", where=str(path), fix=fix) from None
    except OSError as error:
        raise InputError("it cannot be read", where=str(path), why=error.strerror or "", fix=fix) from None
    except RecursionError:
        raise InputError("it is not TOML: it is nested too deep", where=str(path), fix=fix) from None
    except ValueError as error:  # tomli's own, of UTF-8, and of a number with too many digits
        raise InputError(f"it is not TOML: {_plain(str(error))}", where=str(path), fix=fix) from None


def parsed(text: str) -> dict[str, Any]:
    """What a TOML text says. Raises ValueError or RecursionError, in tomli's words, for one that is none.

    rtoml reads a lock in a third of tomli's time, 0.6 ms of 1.8 (measured over five shipped ones), and tells a fault
    over several lines.
    """
    try:
        return rtoml.loads(text)
    except ValueError:
        return tomli.loads(text)


def held(path: Path, text: str, value: dict[str, Any], model: type[_Model], fix: str) -> _Model:
    """A file's values as a model has them. Raises InputErrors, one per value that is not as it should be."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        lines = _lines(text)
        found = []
        for details in error.errors(include_url=False)[:_MOST]:
            keys = tuple(key for key in details["loc"] if key != "[key]")
            number = _line(lines, keys)
            where = f"{path}:{number}" if number else str(path)
            name = _plain(spoken(keys))
            found.append((number, InputError(f"{name}: {_words(details)}".lstrip(": "), where=where, fix=fix)))
        raise InputErrors([one for _, one in sorted(found, key=lambda pair: pair[0])]) from None


def _words(details: ErrorDetails) -> str:
    """What is wrong with one value."""
    kind, context, given = details["type"], details.get("ctx", {}), details["input"]
    wanted = {"string_type": "text", "int_type": "a whole number", "bool_type": "true or false", "list_type": "a list"}
    wanted |= {"dict_type": "a table", "model_type": "a table", "model_attributes_type": "a table"}
    if kind == "modelstacks":
        return _plain(context["problem"])
    if kind == "missing":
        return "it is missing"
    if kind == "extra_forbidden":
        return "there is no such key"
    if kind == "literal_error":
        return _plain(f"{given!r:.100} is not known; it has to be {context['expected']}")
    if kind in wanted:
        said = readable(tuple(given) if isinstance(given, list) else given)
        return f"it is {said[:100]} where {wanted[kind]} belongs"
    return _plain(details["msg"])


def _plain(text: str) -> str:
    """A text that may hold anything, on one line and not too long."""
    return "".join(char if char.isprintable() else "?" for char in text[:400])


def _line(lines: dict[Keys, int], keys: Keys) -> int:
    """The line of a value or of the nearest part that holds it, 0 where none is known."""
    while keys and keys not in lines:
        keys = keys[:-1]
    return lines.get(keys, 0)


_TABLE = re.compile(r"(\[\[?)([A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*)\]\]?$")
_KEY = re.compile(r'("?)([A-Za-z0-9_.-]+)\1 = ')


def _lines(text: str) -> dict[Keys, int]:
    """The line of each value, in the layout that this program writes; tomli tells none."""
    found: dict[Keys, int] = {}
    arrays: dict[tuple[str, ...], int] = {}
    table: Keys = ()
    row = 0
    key: Keys = ()
    for number, line in enumerate(text.split("\n"), 1):
        if match := _TABLE.match(line):
            names = tuple(match[2].split("."))
            if match[1] == "[[":
                arrays = {one: at for one, at in arrays.items() if one[: len(names)] != names or one == names}
                arrays[names] = arrays.get(names, -1) + 1
            table = _keys(names, arrays)
            found[table] = number
        elif match := _KEY.match(line):
            key, row = (*table, match[2]), 0
            found.setdefault(key, number)
        elif line.startswith("    {"):
            here = (*key, row)
            found[here] = number
            row += 1
    return found


def _keys(names: tuple[str, ...], arrays: dict[tuple[str, ...], int]) -> Keys:
    """The keys of a table, with the position in each array of tables above it."""
    keys: list[str | int] = []
    for count in range(1, len(names) + 1):
        keys.append(names[count - 1])
        if names[:count] in arrays:
            keys.append(arrays[names[:count]])
    return tuple(keys)
