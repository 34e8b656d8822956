"""Which wheels are layers of an image as they are, and the name of the image that holds them. No IO here.

A large wheel becomes a layer once, straight from the wheel (`build/wheel_layer.py`): the same for every stack of its
Python. They lie on the base, and everything else of a stack lies on them. The others are installed by the Dockerfile.
"""

from __future__ import annotations

import json

from builder.files import sha256_text
from builder.lock.model import Artifact, StackLock
from builder.render.base import base_key

# Raised when a layer would come out otherwise from the same wheel.
RECIPE = 1
_SMALLEST = 32_000_000  # bytes of a wheel: what is smaller is not worth a layer of its own
MOST = 64  # engines stop at 127 layers, and a base may bring some; the Dockerfile adds at most ten


def ready(lock: StackLock) -> tuple[Artifact, ...]:
    """The wheels that are layers, the lowest first: NVIDIA's libraries, which change least and most stacks share.

    None on an image base that the lock names by its digest alone: what it consists of is not known here.
    """
    if lock.base.kind == "image" and not lock.base.blobs:
        return ()
    large = [item for item in lock.wheels if item.kind != "sdist" and item.size >= _SMALLEST]
    largest = sorted(large, key=lambda item: (-item.size, item.project))[:MOST]
    return tuple(sorted(largest, key=lambda item: not item.project.startswith("nvidia-")))


def installed(lock: StackLock) -> list[Artifact]:
    """The wheels that the Dockerfile installs: all others."""
    layers = set(ready(lock))
    return [item for item in lock.wheels if item not in layers]


def layers_tag(lock: StackLock) -> str:
    """The name under which the engine holds the base with those layers on it, "" where there are none."""
    wheels = ready(lock)
    if not wheels:
        return ""
    values = [RECIPE, base_key(lock.base), lock.python, *(item.sha256 for item in wheels)]
    return f"modelstacks/layers:{lock.base.distribution or 'image'}-{sha256_text(json.dumps(values))[:12]}"
