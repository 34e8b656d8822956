"""The digest of everything that shapes a resolution, by which a stale lock is told from a fresh one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from builder.errors import InputError
from builder.files import sha256_text
from builder.lock.model import LOCK_VERSION, StackLock
from builder.lock.store import STACK_LOCK
from builder.spec.model import Stack, Weight

# Keys that change what is rendered or tested, but not which files are needed.
_NOT_RESOLVED = {"summary", "env", "smoke", "libraries", "paths", "gpus", "interpreter", "cuda", "torch"}


def digest(stack: Stack) -> str:
    """64 hex digits over the merged stack's packages, indexes, base, sources, weights, Python and lock version."""
    values = {
        key: value for key, value in stack.model_dump(mode="json", by_alias=True).items() if key not in _NOT_RESOLVED
    }
    values["weights"] = [_asked(weight) for weight in stack.baked]
    return sha256_text(json.dumps([LOCK_VERSION, values], sort_keys=True))


def _asked(weight: Weight) -> dict[str, Any]:
    """What a weight asks for; keys that it does not use are left out, so that a new key leaves old locks fresh."""
    return weight.model_dump(mode="json", by_alias=True, exclude_none=True, exclude={"bake", "licence"})


def require_fresh(stack: Stack, lock: StackLock, folder: Path) -> None:
    """Raise InputError where the stack or its family changed since the lock was made."""
    if lock.inputs != digest(stack):
        raise InputError(
            f"the lock of {stack.name} is stale",
            where=str(folder / STACK_LOCK),
            why="the stack or its family asks for something else than when it was locked",
            fix=f"run `make lock STACK={stack.name}`",
        )
