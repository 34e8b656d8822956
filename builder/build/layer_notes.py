"""What is known of the layers of large wheels: their digests, kept beside the wheels from the first making on."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from builder.build import wheel_layer
from builder.errors import InputError
from builder.files import sha256_of
from builder.kept import Kept
from builder.lock.model import Artifact, StackLock
from builder.render.ready import ready
from builder.settings import Settings


@dataclass(frozen=True)
class Layer:
    """A layer to be. size: of its tar. diff_id: sha256:…, "" where it was never made here."""

    wheel: Path
    item: Artifact
    size: int
    diff_id: str


def known(lock: StackLock, settings: Settings) -> list[Layer]:
    """The layers of a lock, the lowest first, with what is kept of each."""
    notes, found = kept_notes(settings), []
    for item in ready(lock):
        wheel = settings.home / item.folder / item.filename
        size, diff_id = 0, ""
        with suppress(TypeError, ValueError):  # nothing is kept, or what we never write
            size, diff_id = notes.get(f"{item.sha256} {lock.python}", wheel_layer.RECIPE)
        found.append(Layer(wheel, item, int(size), str(diff_id)))
    return found


def kept_notes(settings: Settings) -> Kept:
    """Where that is kept."""
    return Kept(settings.home / "wheels" / ".layers")


def made(layer: Layer, lock: StackLock, settings: Settings) -> Layer:
    """The layer made once more, for its digest alone."""
    require_locked(layer)
    digest = hashlib.sha256()
    wheel_layer.write(layer.wheel, lock.python, digest.update)
    return noted(layer, f"sha256:{digest.hexdigest()}", lock, settings)


def noted(layer: Layer, diff_id: str, lock: StackLock, settings: Settings) -> Layer:
    """Keep the digest of a layer that was made; gives the layer with it."""
    size = layer.size or wheel_layer.size(layer.wheel, lock.python)
    kept_notes(settings).put(f"{layer.item.sha256} {lock.python}", wheel_layer.RECIPE, [size, diff_id])
    return Layer(layer.wheel, layer.item, size, diff_id)


def require_locked(layer: Layer) -> None:
    """Raise InputError for a wheel that is not the locked one."""
    if not layer.wheel.is_file() or sha256_of(layer.wheel) != layer.item.sha256:
        problem = f"{layer.item.filename} has other bytes than the lock says"
        fix = "run `make fetch VERIFY=1` with the STACK=NAME that is built"
        raise InputError(problem, where=str(layer.wheel), fix=fix)
