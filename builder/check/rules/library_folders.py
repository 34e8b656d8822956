"""onnxruntime-gpu finds CUDA's libraries in wheels only where their folders are on the loader's path."""

from __future__ import annotations

from collections.abc import Iterator

from builder.check.model import Facts, Finding, locked, required
from builder.lock.model import StackLock
from builder.spec.model import Stack

NAME = "library_folders"


def find(stack: Stack, lock: StackLock | None, facts: Facts) -> Iterator[Finding]:
    """One error that names every folder of a required or locked wheel that `libraries` leaves out."""
    present = {*required(stack), *locked(lock)}
    if "onnxruntime-gpu" not in present:
        return  # torch finds these libraries by itself
    rows = [row for row in facts[NAME] if row["package"] in present and row["folder"] not in stack.libraries]
    if rows:
        yield Finding(
            rule=NAME,
            level="error",
            problem=f"`libraries` lacks {', '.join(row['folder'] for row in rows)}",
            why="without them onnxruntime silently runs on the CPU",
            fix="add them to `libraries`",
            source="; ".join(f"{row['package']}: {row['source']}" for row in rows),
        )
