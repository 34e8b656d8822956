"""The known failures: the rows of known/*.yaml, packaged with the program and read once."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from builder.failures.model import Failure, Pattern


@functools.cache
def known() -> Mapping[str, Failure]:
    """Every known failure by its id."""
    rows: list[Mapping[str, Any]] = []
    for path in sorted((Path(__file__).parent / "known").glob("*.yaml")):
        rows += yaml.safe_load(path.read_text(encoding="utf-8"))
    return {row["id"]: failure(row) for row in rows}


def failure(row: Mapping[str, Any]) -> Failure:
    """A failure from its row. Raises TypeError for a key that is missing or unknown."""
    patterns = tuple(_pattern(one) for one in row["patterns"])
    return Failure(**{**row, "patterns": patterns, "over": tuple(row.get("over", ()))})


def _pattern(given: str | Mapping[str, Any]) -> Pattern:
    if isinstance(given, str):
        return Pattern(text=given)
    return Pattern(**{**given, "near": tuple(given.get("near", ()))})
