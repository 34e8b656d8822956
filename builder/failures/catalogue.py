"""The known failures: the rows of known/*.yaml, packaged with the program and read once."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from typing_extensions import NotRequired, TypedDict

from builder.facts import rows
from builder.failures.model import Failure, Level, Pattern


class Words(TypedDict):
    """A pattern as a row has it."""

    text: str
    then: NotRequired[str]
    near: NotRequired[tuple[str, ...]]
    start: NotRequired[bool]


class Row(TypedDict):
    """A known failure as a file has it. A pattern that is a text alone stands for its `text`."""

    id: str
    patterns: tuple[str | Words, ...]
    cause: str
    fix: str
    source: str
    level: NotRequired[Level]
    over: NotRequired[tuple[str, ...]]


@functools.cache
def known() -> Mapping[str, Failure]:
    """Every known failure by its id."""
    files = sorted((Path(__file__).parent / "known").glob("*.yaml"))
    return {row["id"]: failure(row) for path in files for row in rows(path, Row)}


def failure(row: Mapping[str, Any]) -> Failure:
    """A failure from its row. Raises TypeError for a key that is missing or unknown."""
    patterns = tuple(_pattern(one) for one in row["patterns"])
    return Failure(**{**row, "patterns": patterns, "over": tuple(row.get("over", ()))})


def _pattern(given: str | Mapping[str, Any]) -> Pattern:
    if isinstance(given, str):
        return Pattern(text=given)
    return Pattern(**{**given, "near": tuple(given.get("near", ()))})
