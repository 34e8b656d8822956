"""lock: a stack becomes pylock.toml (PEP 751) and stack.lock, every file named by hash."""

from builder.lock.inputs import digest as inputs_digest
from builder.lock.inputs import listed, require_fresh, require_whole
from builder.lock.model import Artifact, LockedBase, LockedIndex, StackLock
from builder.lock.store import read

__all__ = [
    "Artifact",
    "LockedBase",
    "LockedIndex",
    "StackLock",
    "inputs_digest",
    "listed",
    "read",
    "require_fresh",
    "require_whole",
]
