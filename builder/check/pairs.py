"""Releases of two packages that do not go together, by the rows of package_pairs.yaml."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from builder.check.model import Case, Finding, Level, Packages, finding
from builder.check.rows import PackagePair
from builder.check.spans import Meets, meets, within

_LEVELS: dict[Meets, Level | None] = {"never": None, "maybe": "warning", "always": "error"}


def finder(rule: str) -> Callable[[Case], Iterator[Finding]]:
    """The `find` of a rule that reads the rows of that name.

    Errors where both releases are certain; without a lock, warnings where nothing keeps the breaking one out.
    """

    def find(case: Case) -> Iterator[Finding]:
        rows = [row for row in case.facts["package_pairs"] if row["rule"] == rule and _present(row, _scope(case, row))]
        kept_out = {row["other"] for row in rows if row.get("capped")}
        for row in rows:
            level = _level(row, _scope(case, row), locked=case.lock is not None)
            if level == "error" or (level and row["other"] not in kept_out):
                yield _finding(rule, row, _scope(case, row), level)

    return find


def _scope(case: Case, row: PackagePair) -> Packages:
    return case.toolchain if row.get("toolchain") else case.image


def _present(row: PackagePair, packages: Packages) -> bool:
    version = packages.version(row["package"])
    beside = all(one in packages for one in row.get("beside", ()))
    return version is not None and beside and within(version, row["versions"])


def _level(row: PackagePair, packages: Packages, *, locked: bool) -> Level | None:
    """How sure it is that the breaking release of the other package is there; None for not."""
    other = packages.version(row["other"])
    if other is not None:
        return "error" if within(other, row["breaks"]) else None
    asked = packages.asked.get(row["other"])
    if asked is None and (locked or row.get("toolchain")):
        return "error" if row.get("absent") else None
    if asked is None:
        return "warning" if row.get("brings") else None
    return _LEVELS[meets(asked.specifier, row["breaks"])]


def _finding(rule: str, row: PackagePair, packages: Packages, level: Level) -> Finding:
    other, version = row["other"], packages.version(row["package"])
    there = packages.version(other) or row["breaks"]
    absent = other not in packages and level == "error"
    verb = "meets" if level == "error" else "may meet"
    return finding(
        rule,
        [row],
        problem=f"{row['package']} {version} {'is without ' + other if absent else f'{verb} {other} {there}'}",
        cause=row["cause"],
        fix=row["fix"],
        level=level,
        about=row["name"],
    )
