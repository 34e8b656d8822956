"""The lock that lies beside a stack file: as it is, held to what the file asks for now, or required."""

from __future__ import annotations

from pathlib import Path
from typing import overload

from builder.errors import InputError
from builder.lock import service as services
from builder.lock import store
from builder.lock.inputs import require_fresh, require_whole
from builder.lock.model import StackLock
from builder.lock.service import ServiceLock
from builder.spec import Loaded
from builder.spec.model import Stack
from builder.spec.service import Service


@overload
def fresh(one: Stack) -> StackLock | None: ...
@overload
def fresh(one: Service) -> ServiceLock | None: ...
@overload
def fresh(one: Loaded) -> StackLock | ServiceLock | None: ...
def fresh(one: Loaded) -> StackLock | ServiceLock | None:
    """The lock, None where there is none yet. Raises InputError where it is stale or damaged."""
    if not store.exists(one.folder):
        return None
    if isinstance(one, Service):
        return services.locked(one, one.folder)
    lock = store.read(one.folder)
    require_fresh(one, lock, one.folder)
    return lock


@overload
def locked(one: Stack) -> StackLock: ...
@overload
def locked(one: Service) -> ServiceLock: ...
@overload
def locked(one: Loaded) -> StackLock | ServiceLock: ...
def locked(one: Loaded) -> StackLock | ServiceLock:
    """The lock. Raises InputError where there is none, or it is stale, damaged or not whole."""
    if isinstance(one, Service):
        return services.locked(one, one.folder)
    return required(one, store.read(one.folder))


def required(stack: Stack, lock: StackLock) -> StackLock:
    """A stack's lock that was read already. Raises InputError where it is stale or not whole."""
    require_fresh(stack, lock, stack.folder)
    require_whole(lock, stack.folder)
    return lock


def readable(folder: Path) -> StackLock | None:
    """A stack's lock as it is; None where there is none, or it cannot be read."""
    try:
        return store.read(folder) if store.exists(folder) else None
    except InputError:
        return None
