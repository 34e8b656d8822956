"""Whether a lock says what its stack asks for. No IO here.

The digest of the inputs tells a stale lock, but whoever writes a lock by hand can copy it; what the lock takes from
where is therefore held to the stack itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from packaging.utils import canonicalize_name

from builder.lock.model import Artifact, StackLock
from builder.origin import Origin
from builder.spec.extension import Extension
from builder.spec.model import Stack
from builder.spec.parts import Source


def misfit(stack: Stack, lock: StackLock) -> str:
    """The first thing of a lock that its stack does not ask for so, "" where all fits."""
    return next(_misfits(stack, lock), "")


def _misfits(stack: Stack, lock: StackLock) -> Iterator[str]:
    if (lock.python, lock.platform) != (stack.python, stack.platform):
        yield f"it is for Python {lock.python} on {lock.platform}, the stack for {stack.python} on {stack.platform}"
    indexes = {name: (str(one.url or one.find_links), one.url is None) for name, one in stack.indexes.items()}
    if {name: (one.url, one.find_links) for name, one in lock.indexes.items()} != indexes:
        yield "it has other indexes than the stack"
    yield from _base(stack, lock)
    own = tuple(f"{one.address}/" for one in stack.apt_archives)
    for item in (*lock.base.debs, *lock.debs, *lock.toolchain_debs):
        if item.origin.scheme == "https" and (item in lock.base.debs or not item.origin.place.startswith(own or "\0")):
            yield f"it takes {item.filename} from {item.origin}, which is in no archive of the stack"
    if lock.unresolved:
        return
    idle = {item.project for item in lock.wheels if item.kind == "wheel"} & stack.fallbacks
    extensions = [one for one in stack.extensions if one.git and canonicalize_name(one.name) not in idle]
    yield from _sources(stack.sources, lock.sources)
    yield from _sources(extensions, lock.extension_sources)
    yield from _weights(stack, lock)


def _base(stack: Stack, lock: StackLock) -> Iterator[str]:
    boot, base = stack.base.bootstrap, lock.base
    if boot is not None:
        if (base.kind, base.distribution, base.include) != ("bootstrap", boot.distribution, boot.packages):
            yield f"its base is not the stack's own of {boot.distribution}"
        return
    name, _, digest = str(stack.base.image).partition("@")
    if (
        base.kind != "image"
        or untagged(base.reference) != untagged(name)
        or (digest and base.digest not in ("", digest))
    ):
        yield f"its base is {base.reference or base.distribution}, the stack's is {stack.base.image}"


def untagged(reference: str) -> str:
    """The name of an image without tag and digest."""
    name = reference.partition("@")[0]
    return name.rpartition(":")[0] if ":" in name.rpartition("/")[2] else name


def _sources(wanted: Sequence[Source | Extension], found: Sequence[Artifact]) -> Iterator[str]:
    origins = [Origin("git", str(one.git), str(one.commit)) for one in wanted]
    if len(origins) != len(found):
        yield f"it has {len(found)} git sources, the stack {len(origins)}"
    for origin, item in zip(origins, found, strict=False):
        if item.origin != origin:
            yield f"it takes a source from {item.origin}, the stack from {origin}"


def _weights(stack: Stack, lock: StackLock) -> Iterator[str]:
    archives = {item.origin: item.filename for item in lock.archives}
    if len(stack.baked) != len(lock.weights):
        yield f"it has {len(lock.weights)} weights, the stack bakes {len(stack.baked)}"
    for weight, item in zip(stack.baked, lock.weights, strict=False):
        wanted = weight.origin
        if weight.member and wanted in archives:
            wanted = Origin("member", archives[wanted], path=weight.member.path)
        if item.origin != wanted:
            yield f"it takes a weight from {item.origin}, the stack from {wanted}"
        sha256 = weight.member.sha256 if weight.member else weight.sha256
        if sha256 and item.sha256 != sha256:
            yield f"it has another sha256 of {weight.filename} than the stack"
