"""torch has wheels for the stack's Python."""

from __future__ import annotations

from collections.abc import Iterator

from packaging.version import Version

from builder.check.model import Case, Finding, finding
from builder.check.torch import fits_python, torch_of

NAME = "torch_python"


def find(case: Case) -> Iterator[Finding]:
    """An error where it has none, with the releases that have."""
    torch = torch_of(case)
    if not torch or not torch.release or fits_python(torch.release, case.stack.python):
        return
    first, last = torch.release["python"]
    fitting = [row["torch"] for row in case.facts["torch_releases"] if fits_python(row, case.stack.python)]
    fitting.sort(key=lambda one: Version(one.replace("*", "0")))
    others = f", or torch {fitting[0]} to {fitting[-1]}" if fitting else ""
    yield finding(
        NAME,
        [torch.release],
        problem=f"torch {torch.version} has no wheel for Python {case.stack.python}",
        cause=f"its wheels are for Python {first} to {last}",
        fix=f"take a family of Python {first} to {last}{others}",
        columns=["python"],
    )
