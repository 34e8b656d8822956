"""Two projects that install the same Python package overwrite each other's files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from builder.check.model import Case, Finding, finding

NAME: Final = "conflicting_packages"


def find(case: Case) -> Iterator[Finding]:
    """An error for each group of which more than one project is required or locked."""
    for row in case.facts[NAME]:
        both = sorted(package for package in row["packages"] if package in case.image)
        if len(both) > 1:
            brought = [package for package in both if package not in case.image.asked]
            cause = f"each of them installs the package {row['module']}, and the last one wins"
            if brought:
                by = {one: ", ".join(name for name in case.brought.get(one, ()) if name) for one in brought}
                named = (f"{one} is brought in by {by[one] or 'another requirement'}" for one in brought)
                cause += f"; {' and '.join(named)}"
            yield finding(
                NAME,
                [row],
                problem=f"{' and '.join(both)} are in one stack",
                cause=cause,
                fix=f"{row['fix']}; `without: [{', '.join(brought)}]` leaves it out" if brought else row["fix"],
                about=row["module"],
            )
