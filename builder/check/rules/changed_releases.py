"""A release that does something else than those before it, without a word, is taken on purpose."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from builder.check.model import Case, Finding, finding
from builder.check.spans import within

NAME: Final = "changed_releases"


def find(case: Case) -> Iterator[Finding]:
    """A warning for each that is pinned or locked; `accept` says that it is meant."""
    for row in case.facts[NAME]:
        for package in row["packages"]:
            version = case.image.version(package)
            if version and within(version, row["versions"]):
                yield finding(
                    NAME,
                    [row],
                    level="warning",
                    problem=f"{package} {version} does something else than the releases before {row['versions'][2:]}",
                    cause=row["change"],
                    fix=row["fix"],
                    about=package,
                )
