"""Two projects that install the same Python package overwrite each other's files."""

from __future__ import annotations

from collections.abc import Iterator

from builder.check.model import Facts, Finding, locked, required
from builder.lock.model import StackLock
from builder.spec.model import Stack

NAME = "conflicting_packages"


def find(stack: Stack, lock: StackLock | None, facts: Facts) -> Iterator[Finding]:
    """An error for each group of which more than one project is required or locked."""
    asked = required(stack)
    present = {*asked, *locked(lock)}
    for row in facts[NAME]:
        both = [package for package in row["packages"] if package in present]
        if len(both) > 1:
            brought = [package for package in both if package not in asked]
            why = f"each of them installs the package {row['module']}, and the last one wins"
            if brought:
                why += f"; {', '.join(brought)} is brought in by another requirement"
            yield Finding(
                rule=NAME,
                level="error",
                problem=f"{' and '.join(both)} are in one stack",
                why=why,
                fix=row["fix"],
                source=row["source"],
            )
