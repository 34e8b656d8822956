"""The known failures: the rows of known/*.yaml, packaged with the program and read once."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from typing_extensions import NotRequired, TypedDict

from builder.facts import rows
from builder.failures.model import Failure, Kind, Level, Pattern

_HERE = Path(__file__).parent


class Words(TypedDict):
    """A pattern as a row has it."""

    text: str
    then: NotRequired[str]
    near: NotRequired[tuple[str, ...]]
    unless: NotRequired[tuple[str, ...]]
    after: NotRequired[tuple[str, ...]]
    start: NotRequired[bool]
    tail: NotRequired[bool]


class Sign(TypedDict):
    """A sign of how a log ends, as signs.yaml has it. A pattern that is a text alone stands for its `text`."""

    id: str
    patterns: tuple[str | Words, ...]
    source: str


class Row(Sign):
    """A known failure as a file has it."""

    cause: str
    fix: str
    stack: NotRequired[str]
    level: NotRequired[Level]
    kind: NotRequired[Kind]
    over: NotRequired[tuple[str, ...]]


@functools.cache
def known() -> Mapping[str, Failure]:
    """Every known failure by its id."""
    files = sorted((_HERE / "known").glob("*.yaml"))
    return {row["id"]: failure(row) for path in files for row in rows(path, Row)}


@functools.cache
def signs() -> Mapping[str, Failure]:
    """The signs of an error, of a program's end and of work that goes on, by their ids; see signs.yaml."""
    return {row["id"]: failure({**row, "cause": "", "fix": ""}) for row in rows(_HERE / "signs.yaml", Sign)}


def failure(row: Mapping[str, Any]) -> Failure:
    """A failure from its row. Raises TypeError for a key that is missing or unknown."""
    patterns = tuple(_pattern(one) for one in row["patterns"])
    return Failure(**{**row, "patterns": patterns, "over": tuple(row.get("over", ()))})


def _pattern(given: str | Mapping[str, Any]) -> Pattern:
    if isinstance(given, str):
        return Pattern(text=given)
    lists = {key: tuple(given.get(key, ())) for key in ("near", "unless", "after")}
    return Pattern(**{**given, **lists})
