"""A module compiled for NumPy 1 cannot be imported beside NumPy 2."""

from __future__ import annotations

from collections.abc import Iterator

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from builder.check.model import Facts, Finding, locked, pinned, required
from builder.lock.model import StackLock
from builder.spec.model import Stack

NAME = "numpy_abi"
_TWO = Version("2")


def find(stack: Stack, lock: StackLock | None, facts: Facts) -> Iterator[Finding]:
    """Errors where NumPy 2 is certain; without a lock, warnings where nothing keeps it out."""
    requirements, versions = required(stack), locked(lock)
    here = {
        row["package"]: versions.get(row["package"]) or pinned(requirements.get(row["package"])) for row in facts[NAME]
    }
    old = [
        row
        for row in facts[NAME]
        if (v := here[row["package"]]) and SpecifierSet(row["versions"]).contains(v, prereleases=True)
    ]
    numpy = versions.get("numpy") or pinned(requirements.get("numpy"))
    if not old or (numpy and numpy < _TWO):
        return
    certain = numpy is not None or _starts_at_two(requirements.get("numpy"))
    if not certain and (_ends_below_two(requirements.get("numpy")) or any(row["capped"] for row in old)):
        return
    for row in old:
        meets = "meets" if certain else "may meet"
        yield Finding(
            rule=NAME,
            level="error" if certain else "warning",
            problem=f"{row['package']} {here[row['package']]} {meets} numpy {numpy or '2'}",
            why="it is compiled for NumPy 1 and fails to import beside NumPy 2",
            fix="add numpy<2, or take a newer release of it",
            source=row["source"],
        )


def _starts_at_two(requirement: Requirement | None) -> bool:
    clauses = requirement.specifier if requirement else ()
    return any(c.operator in (">=", ">", "~=", "==") and _bound(c.version) >= _TWO for c in clauses)


def _ends_below_two(requirement: Requirement | None) -> bool:
    clauses = requirement.specifier if requirement else ()
    return any(
        (c.operator == "<" and _bound(c.version) <= _TWO)
        or (c.operator in ("<=", "==", "~=") and _bound(c.version) < _TWO)
        for c in clauses
    )


def _bound(version: str) -> Version:
    return Version(version.removesuffix(".*"))
