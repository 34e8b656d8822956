"""No compiled module asks the base's C library for an executable stack where that is refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from builder.check.cuda import distribution_of
from builder.check.model import Case, Finding, finding
from builder.check.spans import within

NAME: Final = "executable_stacks"


def find(case: Case) -> Iterator[Finding]:
    """An error for each package that cannot be imported on the stack's base."""
    base = distribution_of(case)
    name = f"{base['distribution']} {base['release']}" if base else ""
    for row in case.facts[NAME]:
        for package in row["packages"] if name in row["distributions"] else ():
            version = case.image.version(package)
            if version and within(version, row["versions"]):
                yield finding(
                    NAME,
                    [row],
                    problem=f"{package} {version} cannot be imported on {name}",
                    cause="it asks for an executable stack, and glibc 2.41 refuses (cannot enable executable stack as "
                    "shared object requires), whatever the wheel's tag promises",
                    fix=row["fix"],
                    about=package,
                )
