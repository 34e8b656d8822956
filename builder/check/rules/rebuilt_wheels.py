"""A locked wheel is the newest build of its version, as far as is known."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from packaging.utils import parse_wheel_filename

from builder.check.model import Case, Finding, finding

NAME: Final = "rebuilt_wheels"


def find(case: Case) -> Iterator[Finding]:
    """A warning for each of which the default index has a later build; the lock goes on with its own by hash."""
    known = {row["package"] for row in case.facts[NAME]}
    wheels = [item for item in (case.lock.wheels if case.lock else ()) if item.filename.endswith(".whl")]
    for item in wheels:
        if item.project and item.project not in known:
            continue
        name, version, build, _ = parse_wheel_filename(item.filename)
        for row in case.facts[NAME]:
            if name == row["package"] and str(version) == row["version"] and (build or (0, ""))[0] < row["build"]:
                yield finding(
                    NAME,
                    [row],
                    level="warning",
                    problem=f"{item.filename} is locked, and there is build {row['build']} of {version}",
                    cause="it was put beside the first one later; installers that lock nothing take it",
                    fix="make lock UPGRADE=1 takes it; the lock as it is stays what it was",
                    about=str(name),
                )
