"""Families that have another name than they had."""

from __future__ import annotations

from pathlib import Path

from typing_extensions import TypedDict

from builder import facts


class Renamed(TypedDict):
    """A shipped family's former name and its name now. differs: by what it is told from others."""

    former: str
    name: str
    differs: str


def families() -> tuple[Renamed, ...]:
    """The rows of renamed_families.yaml."""
    return facts.rows(Path(__file__).parent / "renamed_families.yaml", Renamed)


def now(family: str) -> str:
    """What to write in the place of a family's former name, in words; "" for a name that is none."""
    row = next((row for row in families() if row["former"] == family), None)
    return f"write `family: {row['name']}`: it has that name now ({row['differs']})" if row else ""


def former(family: str) -> str:
    """The name by which locks know a family: its former one, where it had another."""
    return next((row["former"] for row in families() if row["name"] == family), family)
