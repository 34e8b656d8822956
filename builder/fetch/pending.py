"""Trust on first use: what no one told the hash of is fetched once, and its hash and size go into the lock."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from builder.errors import InputError
from builder.files import held
from builder.lock import read, store
from builder.lock.model import Artifact, StackLock
from builder.settings import Settings
from builder.ui import Ui


def settle(lock: StackLock, folder: Path, settings: Settings, ui: Ui, *, frozen: bool = False) -> StackLock:
    """The lock with no hash pending: each such file is fetched and recorded in folder/stack.lock, one by one.

    folder: that of the stack. frozen: refuse instead. TLS is always verified here. Raises InputError when
    frozen, JobError where a server sends no such file, and what Session raises; the lock then keeps
    what was recorded before.
    """
    if frozen:
        refuse_pending(lock)
    if frozen or not any(map(_open, (*lock.archives, *lock.weights))):
        return lock
    from builder.fetch.first import First  # noqa: PLC0415 (requests is slow to load, and most locks need none)
    from builder.net.session import Session  # noqa: PLC0415

    with held(settings.build / lock.stack / ".locking"), Session(settings, warn=ui.warn) as session:
        lock = read(folder)  # another run may have recorded some meanwhile
        first = First(settings, session, ui)
        while item := next(filter(_open, (*lock.archives, *lock.weights)), None):
            lock = store.write(
                folder, _recorded(lock, item, first.seen(item, lock)), instead_of=lock, home=settings.home
            )
    return lock


def refuse_pending(lock: StackLock) -> None:
    """Raise InputError, naming them, where hashes of a lock are pending."""
    if lock.pending:
        raise InputError(
            f"the hash of {', '.join(item.project for item in lock.pending)} is pending in the lock of {lock.stack}",
            why="no one has told it, and no fetch has recorded it yet",
            fix=f"run `make fetch STACK={lock.stack}` without FROZEN=1, look at what it records, commit stack.lock",
        )


def _open(item: Artifact) -> bool:
    """Whether the lock lacks something of a file: its hash, or the size of an archive's member."""
    return item.pending or (item.size == 0 and item.origin.scheme == "member")


def _recorded(lock: StackLock, old: Artifact, new: Artifact) -> StackLock:
    """The lock with one file in the place of another; members follow their archive's name."""

    def changed(item: Artifact) -> Artifact:
        if item == old:
            return new
        if old.kind == "archive" and (item.origin.scheme, item.origin.place) == ("member", old.filename):
            return replace(item, origin=replace(item.origin, place=new.filename))
        return item

    return replace(
        lock,
        archives=tuple(changed(item) for item in lock.archives),
        weights=tuple(changed(item) for item in lock.weights),
    )
