"""A pin to a release that has left the default index cannot be fetched."""

from __future__ import annotations

from collections.abc import Iterator

from packaging.utils import canonicalize_name
from packaging.version import Version

from builder.check.model import Facts, Finding, locked, pinned, required
from builder.lock.model import StackLock
from builder.spec.model import Stack

NAME = "gone_from_index"


def find(stack: Stack, lock: StackLock | None, facts: Facts) -> Iterator[Finding]:
    """An error for a pin; a warning for a lock made while the release was still there."""
    elsewhere = {str(canonicalize_name(item)) for index in stack.indexes.values() for item in index.packages}
    requirements, versions = required(stack), locked(lock)
    for row in facts[NAME]:
        package, gone = row["package"], Version(row["version"])
        if package in elsewhere:
            continue
        is_pinned = pinned(requirements.get(package)) == gone
        if is_pinned or versions.get(package) == gone:
            yield Finding(
                rule=NAME,
                level="error" if is_pinned else "warning",
                problem=f"{package} {gone} is {'asked for' if is_pinned else 'locked'}",
                why="this release has left the default index; only a wheelhouse that already holds it can serve it",
                fix=f"{'ask for' if is_pinned else 'lock again, for'} {package} {' or '.join(row['nearest'])}",
                source=row["source"],
            )
