"""A project of the default index that is not what its name says, or is not usable."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from builder.check.model import Case, Finding, finding
from builder.check.spans import within

NAME: Final = "unusable_releases"


def find(case: Case) -> Iterator[Finding]:
    """An error for each that would come from the default index."""
    for row in case.facts[NAME]:
        package = row["package"]
        version = case.image.version(package)
        if package not in case.image or package in case.elsewhere:
            continue
        if not row["versions"] or (version and within(version, row["versions"])):
            yield finding(
                NAME,
                [row],
                problem=f"{package}{f' {version}' if version else ''} is asked for",
                cause=row["cause"],
                fix=row["fix"],
                about=package,
            )
