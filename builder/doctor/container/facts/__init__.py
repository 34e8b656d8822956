"""Known facts of containers as data: each file a list of rows, each row with its source."""

from __future__ import annotations

from pathlib import Path

from typing_extensions import TypedDict

from builder import facts


class Module(TypedDict):
    """A compiled module that is imported to see whether it fits; its projects; the first that runs beside NumPy 2."""

    module: str
    distributions: tuple[str, ...]
    numpy2: str
    source: str


def modules() -> tuple[Module, ...]:
    """The rows of modules.yaml."""
    return facts.rows(Path(__file__).parent / "modules.yaml", Module)
