"""Logs in the shape of public reports, and messages one by one; what the public threads taught is in threads.md."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

import yaml

HERE = Path(__file__).parent
# handed: given to the project; held_out: set aside before the rows were written; worked_on: the rows were made with.
KINDS = ("handed", "held_out", "worked_on")


@dataclass(frozen=True)
class Case:
    """A log. right: what the first finding must say, a regular expression. harmless: no error may be found."""

    name: str
    log: list[str]
    right: str = ""
    harmless: bool = False
    thread: str = ""


@functools.cache
def cases(kind: str) -> list[Case]:
    """The logs of one kind."""
    rows = yaml.safe_load((HERE / f"{kind}.yaml").read_text(encoding="utf-8"))
    return [Case(**{**row, "log": row["log"].splitlines()}) for row in rows]


@functools.cache
def messages() -> dict[str, list[list[str]]]:
    """Messages by the failure that they show, each as its lines."""
    found: dict[str, list[list[str]]] = {}
    name = ""
    for line in (HERE / "words.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith(" "):
            found[name][-1].append(line)
        elif not line.startswith("#"):
            name, _, words = line.partition(" | ")
            found.setdefault(name, []).append([words])
    return found
