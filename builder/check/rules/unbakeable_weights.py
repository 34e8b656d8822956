"""A weight whose terms forbid passing it on must be mounted, never baked into an image."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from builder.check.model import Case, Finding, finding
from builder.check.rows import UnbakeableWeights
from builder.spec.parts import Weight

NAME: Final = "unbakeable_weights"


def find(case: Case) -> Iterator[Finding]:
    """An error for each weight of such terms that would be put into the image, told by name, address or hash."""
    stack, lock = case.stack, case.lock
    locked = lock.weights if lock and len(lock.weights) == len(stack.baked) else ()
    hashes = [item.sha256 for item in locked] or [""] * len(stack.baked)
    for weight, recorded in zip(stack.baked, hashes, strict=True):
        for row in case.facts[NAME]:
            if _is(weight, recorded, row):
                yield finding(
                    NAME,
                    [row],
                    problem=f"{weight.filename} is of {row['what']} and would be put into the image",
                    cause=f"its terms: {row['terms']}",
                    fix="write `bake: false` for it, and mount the file when the container is started",
                    about=weight.filename,
                )
                break


def _is(weight: Weight, recorded: str, row: UnbakeableWeights) -> bool:
    """Whether a weight is the file of a row. recorded: the hash that the lock has for it."""
    member = weight.member
    names = {weight.filename, weight.fetched_name, member.path.rpartition("/")[2] if member else ""}
    hashes = {weight.sha256, member.sha256 if member else None, recorded or None} - {None}
    return (
        row.get("file") in names
        or row.get("sha256") in hashes
        or str(weight.origin or "").startswith(row.get("address", "no address"))
    )
