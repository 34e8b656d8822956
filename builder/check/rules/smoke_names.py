"""A stack can only ask for smoke tests that there are."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Final

from builder.check.model import Case, Finding

NAME: Final = "smoke_names"


def find(case: Case) -> Iterator[Finding]:
    """An error for each name without a test."""
    names = [row["check"] for row in case.facts[NAME]]
    for name in case.stack.smoke:
        if name not in names:
            close = difflib.get_close_matches(name, names, n=1)
            guess = f"did you mean {close[0]}? " if close else ""
            yield Finding(
                rule=NAME,
                level="error",
                problem=f"there is no smoke test {name}",
                cause="nothing would be proved under this name",
                fix=f"{guess}The smoke tests are: {', '.join(names) or 'none yet'}",
                source="the modules of builder/smoke/checks",
                about=name,
            )
