"""A pin to a release that has left the default index cannot be fetched."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from packaging.version import Version

from builder.check.model import Case, Finding, finding, pinned
from builder.check.onnxruntime import PACKAGE, listed, nearest
from builder.check.rows import GoneFromIndex

NAME: Final = "gone_from_index"


def find(case: Case) -> Iterator[Finding]:
    """An error for a pin; a warning for a lock made while the release was still there."""
    for row in case.facts[NAME]:
        package, gone = row["package"], Version(row["version"])
        if package in case.elsewhere:
            continue
        is_pinned = pinned(case.image.asked.get(package)) == gone
        if is_pinned or case.image.locked.get(package) == gone:
            yield finding(
                NAME,
                [row],
                level="error" if is_pinned else "warning",
                problem=f"{package} {gone} is {'asked for' if is_pinned else 'locked'}",
                cause="this release has left the default index; only a wheelhouse that already holds it can serve it",
                fix=f"{'ask for' if is_pinned else 'lock again, for'} {package} {' or '.join(_nearest(case, row))}",
                about=package,
            )


def _nearest(case: Case, row: GoneFromIndex) -> list[str]:
    """The releases nearest to one that is gone, as far as is known those for the stack's Python."""
    there = listed(case) if row["package"] == PACKAGE else ()
    if not there:
        return list(row["nearest"])
    return [one for one in row["nearest"] if one in there] or [nearest(there, Version(row["version"]))]
