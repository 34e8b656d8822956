"""onnxruntime-gpu finds CUDA's libraries in wheels only where their folders are on the loader's path."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from builder.check.model import Case, Finding, finding
from builder.check.onnxruntime import PACKAGE

NAME: Final = "library_folders"


def find(case: Case) -> Iterator[Finding]:
    """One error that names every folder of a required or locked wheel that `libraries` leaves out."""
    if PACKAGE not in case.image:
        return  # torch finds these libraries by itself
    rows = [row for row in case.facts[NAME] if row["package"] in case.image]
    missing = [row for row in rows if row["folder"] not in case.stack.libraries]
    if missing:
        folders = dict.fromkeys(row["folder"] for row in missing)
        yield finding(
            NAME,
            missing,
            problem=f"`libraries` lacks {', '.join(folders)}",
            cause="without them onnxruntime silently runs on the CPU",
            fix="add them to `libraries`",
        )
