"""How large a stack is, by the layers of its image and by what is in each, from its lock."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from builder.lock.model import Artifact, StackLock
from builder.lock.service import ServiceLock
from builder.render.groups import grouped
from builder.render.ready import installed, ready
from builder.spec.model import Stack


@dataclass(frozen=True)
class Part:
    """A file of a layer. size: bytes, as it is fetched."""

    name: str
    version: str
    size: int


@dataclass(frozen=True)
class Layer:
    """What becomes one layer of the image, the largest part first."""

    name: str
    parts: tuple[Part, ...]

    @property
    def size(self) -> int:
        """Bytes of all parts."""
        return sum(part.size for part in self.parts)


def layers(stack: Stack, lock: StackLock) -> list[Layer]:
    """The layers of a stack's image, the largest first; layers of nothing are left out.

    A compiled extension is counted once it is compiled. Not counted: what is made in the build itself.
    """
    base = "base image" if lock.base.kind == "image" else f"base ({lock.base.distribution})"
    below = {item.filename for item in lock.base.debs}
    rows: list[tuple[str, Iterable[Artifact]]] = [
        (base, (*lock.base.debs, *(blob for blob in lock.base.blobs if blob.project == "layer"))),
        ("system packages", (item for item in lock.debs if item.filename not in below)),
        ("extensions", lock.built),
        ("sources", lock.sources),
        ("weights", _baked(stack, lock)),
    ]
    rows += [(f"wheels-{item.project}", (item,)) for item in ready(lock)]
    rows += [(group.name, group.wheels) for group in grouped(installed(lock))]
    return _ordered(Layer(name, _parts(items)) for name, items in rows)


def service_layers(lock: ServiceLock) -> list[Layer]:
    """The layers of a service's image, each of one blob."""
    blobs = [blob for blob in lock.blobs if blob.project == "layer"]
    parts = [Part(f"layer {place}", blob.sha256[:12], blob.size) for place, blob in enumerate(blobs, 1)]
    return _ordered(Layer(part.name, (part,)) for part in parts)


def _baked(stack: Stack, lock: StackLock) -> Iterator[Artifact]:
    inside = {weight.filename for weight in stack.baked}
    yield from (item for item in lock.weights if item.filename in inside)


def _parts(items: Iterable[Artifact]) -> tuple[Part, ...]:
    found = [Part(item.project or item.filename, item.version, item.size) for item in items if item.size > 0]
    return tuple(sorted(found, key=lambda part: (-part.size, part.name, part.version)))


def _ordered(found: Iterable[Layer]) -> list[Layer]:
    return sorted((layer for layer in found if layer.size), key=lambda layer: (-layer.size, layer.name))


def total(found: Sequence[Layer]) -> int:
    """Bytes of all layers."""
    return sum(layer.size for layer in found)
