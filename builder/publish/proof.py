"""Whether an image may be published: what its smoke run proved, and what the licences of its content allow."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from builder.check import check
from builder.check.verb import refuse_errors
from builder.engine.client import ImageFacts
from builder.errors import InputError, JobError
from builder.files import read_bounded
from builder.lock.model import StackLock
from builder.spec.model import Stack
from builder.ui import Ui

Required = Literal["cpu", "gpu", "none"]
_MOST = 16 << 20  # bytes of evidence; the longest of docs/evidence has 0.1 MB


def require_allowed(stack: Stack, lock: StackLock, ui: Ui) -> None:
    """Raise InputError where a rule is broken: a weight whose terms keep it out of images is such a rule."""
    refuse_errors(check(stack, lock), ui)


def evidence(
    stack: Stack, lock: StackLock, image: ImageFacts, files: Iterable[Path], required: Required
) -> dict[str, Any] | None:
    """The evidence for this very image, None where none is asked for and there is none.

    files: those to look in; a green one with a GPU stands before one without. Raises JobError where what is required
    is missing, with what each file lacks.
    """
    found, why = [], []
    for path in files:
        document, lack = _read(path, lock, image)
        if lack:
            why.append(f"{path}: {lack}")
        else:
            found.append(document)
    found.sort(key=on_gpu, reverse=True)
    best = found[0] if found else None
    if required == "none" or (best and (required == "cpu" or on_gpu(best))):
        return best
    gpu = " GPU=require" if required == "gpu" else ""
    problem = f"{stack.name} has no {'GPU ' if gpu else ''}smoke evidence for {image.id}"
    if best:
        why.append("no test ran on a GPU")
    fix = f"make smoke STACK={stack.name}{gpu} (REQUIRE_SMOKE=none publishes without)"
    raise JobError(problem, why="; ".join(why), fix=fix)


def _read(path: Path, lock: StackLock, image: ImageFacts) -> tuple[dict[str, Any], str]:
    """A file of evidence, and what it lacks, "" for nothing."""
    try:
        document = json.loads(read_bounded(path, _MOST))
    except OSError as error:
        return {}, error.strerror or "it cannot be read"
    except (ValueError, RecursionError):
        raise InputError("this is no evidence", where=str(path), fix=f"make smoke STACK={lock.stack}") from None
    lack = fault(document, lock.digest)
    if not lack and document.get("image_id") != image.id:
        lack = f"it is of another image, {str(document.get('image_id'))[:80]}"
    return document, lack


def fault(document: Any, lock: str) -> str:  # noqa: ANN401 - anybody's JSON
    """What keeps a document from proving an image of the lock of this digest, "" for nothing."""
    if not isinstance(document, dict) or not isinstance(document.get("results"), list):
        return "it is no evidence"
    outcomes = [row.get("outcome") for row in document["results"] if isinstance(row, dict)]
    if "failed" in outcomes or "passed" not in outcomes:
        return "a test failed, or none passed"
    return "" if document.get("lock") == lock else "it is of another lock"


def on_gpu(document: dict[str, Any]) -> bool:
    """Whether a test that needs a GPU passed."""
    return any(row.get("needs_gpu") and row.get("outcome") == "passed" for row in document["results"])
