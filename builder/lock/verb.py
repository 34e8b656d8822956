"""The verb lock, for stacks and services."""

# resolve is slow to load, and a lock that is whole needs none of it
# ruff: noqa: PLC0415

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from builder.errors import Unreachable
from builder.lock import service as services
from builder.lock import store
from builder.lock.inputs import listed
from builder.lock.model import StackLock
from builder.settings import Settings
from builder.spec import Loaded
from builder.spec.model import Stack
from builder.spec.service import Service
from builder.ui import Ui, human_bytes

if TYPE_CHECKING:
    from builder.lock.resolve import Judge


def lock(
    one: Loaded,
    settings: Settings,
    ui: Ui,
    *,
    upgrade: bool = False,
    partly: bool = False,
    judge: Judge | None = None,
    ask: Callable[[], None] | None = None,
) -> dict[str, Any]:
    """Write the lock, and show what changed; gives what it says for --json.

    upgrade: ask anew for what is locked. partly: leave what cannot be reached for a later run; of a service, whose
    image is all there is, then nothing is written. judge, ask: as `resolve.lock` has them.
    Raises as `resolve.lock` and `service.lock` do.
    """
    if isinstance(one, Service):
        return _service(one, settings, ui, upgrade=upgrade, partly=partly)
    from builder.lock import resolve

    done = resolve.lock(one, one.folder, settings, ui, upgrade=upgrade, partly=partly, judge=judge, ask=ask)
    if done.first:
        _first(one, done.lock, ui)
    elif done.changes:
        rows = [[item, old or "-", new or "-"] for item, old, new in done.changes]
        ui.table(f"{one.name}: what changed", ["package", "before", "after"], rows)
    if done.rebuilt:
        later = [[name, version, f"build {build}"] for name, version, build in done.rebuilt]
        ui.table(
            f"{one.name}: as locked; UPGRADE=1 takes the later build", ["package", "locked", "on the index"], later
        )
    if left := done.lock.unresolved:
        rows = [
            [part.kind, part.filename or f"{part.name} {part.version}".strip(), part.sha256 or "-"] for part in left
        ]
        ui.table(f"{one.name}: unresolved", ["kind", "part", "publicly known sha256"], rows)
    return done.document()


def _first(stack: Stack, lock: StackLock, ui: Ui) -> None:
    """A first lock: the packages that the stack names by version, everything else by number. The files have it all."""
    asked = {canonicalize_name(Requirement(item).name) for item in stack.packages}
    rows = [[item.project, item.version] for item in lock.wheels if item.project in asked]
    counts = {
        "Python packages that those need": len(lock.wheels) - len(rows),
        "system packages": len(lock.debs),
        "packages of the base": len(lock.base.debs),
        "files of the compilers": len(lock.toolchain) + len(lock.toolchain_debs),
        "sources": len(lock.sources) + len(lock.extension_sources),
        "weights and archives": len(lock.weights) + len(lock.archives),
    }
    rows += [[name, str(count)] for name, count in counts.items() if count]
    files = lock.artifacts()
    size = human_bytes(sum(item.size for item in files))
    ui.table(f"{stack.name}: locked, {len(files)} files, {size}", ["what", "version or number"], rows)


def _service(service: Service, settings: Settings, ui: Ui, *, upgrade: bool, partly: bool) -> dict[str, Any]:
    try:
        done = services.lock(service, service.folder, settings, upgrade=upgrade)
    except Unreachable as error:
        if not partly:
            raise
        again = f"run `make lock STACK={service.name}` where it can be reached"
        ui.warn(f"{service.name} is not locked: {error.problem}; {again}")
        return {"stack": service.name, "unresolved": [{"kind": "base", "name": service.image}]}
    size = sum(blob.size for blob in done.blobs)
    ui.tell(f"{service.name}: {done.reference}, {len(done.blobs)} blobs, {size} bytes")
    return {"stack": service.name, "reference": done.reference, "blobs": len(done.blobs), "bytes": size}


def complete(stack: Stack, settings: Settings, ui: Ui, *, fixed: bool) -> StackLock:
    """A stack's lock, read once; what is unresolved in it is resolved first, keeping the versions it has.

    fixed: leave it as it is, for a run that is offline or frozen. The lock given may therefore be stale or not whole
    (`existing.required`). Raises what `resolve.lock` raises, and InputError where there is no lock or it is damaged.
    """
    lock = store.read(stack.folder)
    if lock.unresolved and not fixed:
        from builder.lock import resolve

        ui.say(f"{stack.name}: the lock is not whole ({listed(lock.unresolved)}); resolving the rest")
        lock = resolve.lock(stack, stack.folder, settings, ui).lock
    return lock
