"""What killed runs have left behind."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from builder.doctor.checks.machine import SUBJECT
from builder.doctor.model import Diagnosis


def judge(files: Sequence[Path], containers: Sequence[str]) -> Diagnosis:
    """A note where there is something: it takes disk and does no harm."""
    figures = {"files": [str(path) for path in files], "containers": list(containers)}
    if not files and not containers:
        return Diagnosis(check="leftovers", subject=SUBJECT, state="good", message="none", figures=figures)
    shown = [f"{len(files)} temporary files or folders, such as {files[0]}"] if files else []
    shown += [f"{len(containers)} smoke containers that do not run"] if containers else []
    return Diagnosis(
        check="leftovers",
        subject=SUBJECT,
        state="note",
        message=f"killed runs left {' and '.join(shown)}",
        fix="make doctor FIX=1 removes them",
        figures=figures,
    )
