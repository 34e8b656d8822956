"""onnxruntime-gpu has wheels for the stack's Python."""

from __future__ import annotations

from collections.abc import Iterator

from builder.check.model import Case, Finding, finding
from builder.check.onnxruntime import PACKAGE, listed, nearest

NAME = "onnxruntime_python"


def find(case: Case) -> Iterator[Finding]:
    """An error for a release that the default index has for other Pythons alone, with the nearest for this one."""
    version = case.image.version(PACKAGE)
    if version is None or PACKAGE in case.elsewhere:
        return
    rows = {row["python"]: row for row in case.facts["onnxruntime_gpu_wheels"]}
    others = [python for python, row in rows.items() if str(version) in row["versions"]]
    mine = rows.get(case.stack.python)
    if not others or mine is None or case.stack.python in others:
        return
    yield finding(
        NAME,
        [mine],
        problem=f"{PACKAGE} {version} has no wheel for Python {case.stack.python}",
        cause=f"its wheels are for Python {', '.join(others)}",
        fix=f"take {PACKAGE} {nearest(listed(case), version)}, or a family of Python {' or '.join(others)}",
    )
