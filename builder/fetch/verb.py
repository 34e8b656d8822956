"""The verb fetch, for stacks and services."""

from __future__ import annotations

from builder.fetch import Fetched, fetch
from builder.fetch.pending import settle
from builder.lock.existing import locked, required
from builder.lock.model import LockedIndex, StackLock
from builder.lock.service import ServiceLock
from builder.lock.verb import complete
from builder.settings import Settings
from builder.spec import Loaded
from builder.spec.service import Service
from builder.ui import Ui


def bring(
    one: Loaded, settings: Settings, ui: Ui, *, verify: bool = False, offline: bool = False, frozen: bool = False
) -> Fetched:
    """Bring every file that the lock names, once the lock is whole and no hash is pending.

    offline: ask no network, and so leave the lock as it is. frozen: refuse pending hashes. Raises InputError without
    a lock or with a stale one, and what `fetch` raises.
    """
    fixed = frozen or offline
    lock: StackLock | ServiceLock
    indexes: dict[str, LockedIndex] = {}
    if isinstance(one, Service):
        lock = locked(one)
    else:
        whole = required(one, complete(one, settings, ui, fixed=fixed))
        lock = settle(whole, one.folder, settings, ui, frozen=fixed)
        indexes = dict(lock.indexes)
    done = fetch(lock.artifacts(), indexes, settings, ui, verify=verify, offline=offline)
    ui.tell(f"{one.name}: {len(done.fetched)} files fetched, {done.kept} were there")
    return done
