"""A package that reports on its user is told not to, where it can be told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from builder.check.model import Case, Finding, finding
from builder.check.spans import within

NAME: Final = "telemetry"


def find(case: Case) -> Iterator[Finding]:
    """A warning where such a release is in the image and `env` has not the variable that stops it."""
    for row in case.facts[NAME]:
        there = [(package, version) for package in row["packages"] if (version := case.image.version(package))]
        writes = next(((package, version) for package, version in there if within(version, row["versions"])), None)
        if writes and row["variable"] not in case.stack.env:
            package, version = writes
            yield finding(
                NAME,
                [row],
                level="warning",
                problem=f"{package} {version} writes telemetry when it is imported, and sends it",
                cause=row["cause"],
                fix=f'add `env: {{{row["variable"]}: "1"}}`, or say "0" there to keep it',
                about=package,
            )
