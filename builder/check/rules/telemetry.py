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
        version = case.image.version(row["package"])
        if version and within(version, row["versions"]) and row["variable"] not in case.stack.env:
            yield finding(
                NAME,
                [row],
                level="warning",
                problem=f"{row['package']} {version} writes telemetry when it is imported, and sends it",
                cause=row["cause"],
                fix=f'add `env: {{{row["variable"]}: "1"}}`, or say "0" there to keep it',
                about=row["package"],
            )
