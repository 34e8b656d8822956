"""The digest of everything that shapes a resolution, by which a stale lock is told from a fresh one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from builder.errors import InputError
from builder.files import sha256_text
from builder.lock.fits import misfit
from builder.lock.model import LOCK_VERSION, StackLock, Unresolved
from builder.lock.store import STACK_LOCK
from builder.spec.extension import Download
from builder.spec.model import Stack
from builder.spec.parts import Source, Weight
from builder.spec.renamed import former

# Keys that change what is rendered or tested, but not which files are needed.
_NOT_RESOLVED = {"summary", "env", "smoke", "libraries", "paths", "gpus", "interpreter", "cuda", "torch"}
_NOT_RESOLVED |= {"accept", "extensions", "toolchain", "sources", "files", "files_digest", "entrypoint", "workdir"}
_NOT_RESOLVED |= {"cmd", "ports", "labels", "healthcheck", "imports", "requirements", "accept-advisories"}
_NOT_RESOLVED |= {"projects", "user", "run"}
# Keys that shape a resolution only where a stack has them.
_WHERE_GIVEN = ("overrides", "without", "exclude-newer", "apt-archives")


def digest(stack: Stack) -> str:
    """64 hex digits over the merged stack's packages, indexes, base, sources, weights, Python and lock version."""
    values = {
        key: value for key, value in stack.model_dump(mode="json", by_alias=True).items() if key not in _NOT_RESOLVED
    }
    values["family"] = former(stack.family)
    values["weights"] = [_asked(weight) for weight in stack.baked]
    values["sources"] = [_asked(source) for source in stack.sources]
    # Left out where there is none, so that older locks stay fresh.
    for key in _WHERE_GIVEN:
        if not values[key]:
            del values[key]
    for index in values["indexes"].values():
        if not index["fallback"]:
            del index["fallback"]
    if stack.apt_keys:
        values["apt-keys"] = stack.apt_keys
    if stack.own_projects:
        values["projects"] = [[one.name, one.folder, one.digest] for one in stack.own_projects]
    if stack.toolchain:
        values["toolchain"] = [stack.toolchain.packages, stack.toolchain.system]
    if own := [[one.git, one.commit] for one in stack.extensions if one.git]:
        values["extensions"] = own
    if downloads := [_asked(download) for one in stack.extensions for download in one.downloads]:
        values["downloads"] = downloads
    return sha256_text(json.dumps([LOCK_VERSION, values], sort_keys=True))


def _asked(one: Weight | Source | Download) -> dict[str, Any]:
    """What one asks for; keys not used are left out, so that a new key leaves old locks fresh."""
    return one.model_dump(mode="json", by_alias=True, exclude_none=True, exclude={"bake", "licence", "edits"})


def require_fresh(stack: Stack, lock: StackLock, folder: Path) -> None:
    """Raise InputError where the stack or its family changed since the lock was made, or the lock is not of it."""
    if lock.inputs != digest(stack):
        raise InputError(
            f"the lock of {stack.name} is stale",
            where=str(folder / STACK_LOCK),
            why="the stack or its family asks for something else than when it was locked",
            fix=f"run `make lock STACK={stack.name}`",
        )

    if why := misfit(stack, lock):
        raise InputError(
            f"the lock of {stack.name} is not of this stack",
            where=str(folder / STACK_LOCK),
            why=why,
            fix=f"run `make lock STACK={stack.name}`, and find out who changed the lock",
        )


def require_whole(lock: StackLock, folder: Path) -> None:
    """Raise InputError, naming them, where parts of the lock are unresolved."""
    if lock.unresolved:
        raise InputError(
            f"the lock of {lock.stack} is not whole: {listed(lock.unresolved)}",
            where=str(folder / STACK_LOCK),
            why="they could not be reached when it was made",
            fix=f"run `make lock STACK={lock.stack}` where they can be reached",
        )


def listed(parts: Sequence[Unresolved]) -> str:
    """Unresolved parts in words, the first few by name."""
    more = f" and {len(parts) - 4} more" if len(parts) > 4 else ""
    return f"{', '.join(one.name for one in parts[:4])}{more} unresolved"
