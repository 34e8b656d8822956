"""What is known of the layers of large wheels: their digests, kept beside the wheels from the first making on."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from builder.build import wheel_layer
from builder.errors import InputError
from builder.files import read_bounded, sha256_of, write_atomic
from builder.lock.model import Artifact, StackLock
from builder.render.ready import ready
from builder.settings import Settings

_MOST = 4096  # bytes of what is kept of a layer


@dataclass(frozen=True)
class Layer:
    """A layer to be. size: of its tar. diff_id: sha256:…, "" where it was never made here."""

    wheel: Path
    item: Artifact
    size: int
    diff_id: str


def known(lock: StackLock, settings: Settings) -> list[Layer]:
    """The layers of a lock, the lowest first, with what is kept of each."""
    found = []
    for item in ready(lock):
        size, diff_id = 0, ""
        with suppress(
            OSError, ValueError, LookupError, RecursionError, TypeError
        ):  # nothing is kept, or what we never write
            recipe, *kept = json.loads(read_bounded(place(item, lock, settings), _MOST))
            if recipe == wheel_layer.RECIPE:
                size, diff_id = int(kept[0]), str(kept[1])
        found.append(Layer(settings.home / item.folder / item.filename, item, size, diff_id))
    return found


def place(item: Artifact, lock: StackLock, settings: Settings) -> Path:
    """Where the digest of a wheel's layer is kept."""
    return settings.home / "wheels" / ".layers" / f"{item.sha256}-{lock.python}.json"


def made(layer: Layer, lock: StackLock, settings: Settings) -> Layer:
    """The layer made once more, for its digest alone."""
    require_locked(layer)
    digest = hashlib.sha256()
    wheel_layer.write(layer.wheel, lock.python, digest.update)
    return noted(layer, f"sha256:{digest.hexdigest()}", lock, settings)


def noted(layer: Layer, diff_id: str, lock: StackLock, settings: Settings) -> Layer:
    """Keep the digest of a layer that was made; gives the layer with it."""
    size = layer.size or wheel_layer.size(layer.wheel, lock.python)
    write_atomic(place(layer.item, lock, settings), json.dumps([wheel_layer.RECIPE, size, diff_id]))
    return Layer(layer.wheel, layer.item, size, diff_id)


def require_locked(layer: Layer) -> None:
    """Raise InputError for a wheel that is not the locked one."""
    if not layer.wheel.is_file() or sha256_of(layer.wheel) != layer.item.sha256:
        problem = f"{layer.item.filename} has other bytes than the lock says"
        fix = "run `make fetch VERIFY=1` with the STACK=NAME that is built"
        raise InputError(problem, where=str(layer.wheel), fix=fix)
