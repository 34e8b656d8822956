"""What an image is made of, as one word; remembered, as to write the Dockerfile anew is a tenth of a run that has
nothing to do."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from builder.files import sha256_text, write_atomic
from builder.kept import code
from builder.lock.model import StackLock
from builder.render.dockerfile import render_dockerfile
from builder.settings import Settings
from builder.spec.model import Stack

_KEPT = re.compile(r"([0-9a-f]{64}) (sha256:[0-9a-f]{64})\n")
_ROOMS = ("render", "lock", "spec")  # whose code a Dockerfile depends on


def build_key(stack: Stack, lock: StackLock, settings: Settings) -> str:
    """What an image is made of, as sha256:…: the text of its Dockerfile (which names the base) and its lock.

    Kept in build/NAME/.key beside the digest of all that it was worked out from. Raises as `render_dockerfile`.
    """
    path = settings.build / stack.name / ".key"
    given = sha256_text(repr((stack, lock, *_seen(settings.templates), code(*_ROOMS))))
    with suppress(OSError, UnicodeDecodeError):
        kept = _KEPT.fullmatch(path.read_text())
        if kept and kept[1] == given:
            return kept[2]
    key = "sha256:" + sha256_text(f"{render_dockerfile(stack, lock, settings.templates)}\n{lock.digest}")
    with suppress(OSError):  # it is worked out again
        write_atomic(path, f"{given} {key}\n")
    return key


def _seen(templates: Path) -> Iterator[tuple[str, bytes]]:
    """The name and the bytes of each template."""
    for name in sorted(os.listdir(templates)):  # noqa: PTH208 - pathlib is slower, and this is the way of every run
        with suppress(IsADirectoryError):
            yield name, (templates / name).read_bytes()
