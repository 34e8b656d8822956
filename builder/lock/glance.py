"""A lock as `list` shows it: how far it is and how large, read in a third of the time. Whoever uses a lock reads it
by `store.read`, which holds every word of it to a model; nothing that is taken from here is fetched, run or built."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from builder.errors import InputError
from builder.files import sha256_text
from builder.lock import store, together
from builder.lock.model import Kind, folder_of

# The keys of stack.lock whose rows are files to fetch, and of what kind.
_KINDS: dict[str, Kind] = {
    "tools": "tool",
    "base-debs": "deb",
    "base-blobs": "blob",
    "debs": "deb",
    "sources": "source",
    "archives": "archive",
    "weights": "weight",
    "toolchain": "wheel",
    "toolchain-debs": "deb",
    "extension-sources": "source",
}


@dataclass(frozen=True)
class Glance:
    """inputs: the digest of what it was made from. whole: nothing is unresolved. files: the path, relative to the home
    folder, and the size of each file to fetch. digest: of the lock, as its image's tag has it."""

    inputs: str
    whole: bool
    files: tuple[tuple[str, int], ...]
    digest: str


def glance(folder: Path) -> Glance:
    """What the lock in a stack's folder says of itself.

    Raises InputError where a file is missing or no TOML, the two do not belong together, or the lock is of another
    version or stack, or lacks what is shown.
    """
    path = folder / store.STACK_LOCK
    text, lock, _, pylock = together.pair(folder)
    try:
        store.require_own(str(lock["stack"]), path)
        rows = dict.fromkeys([*_packages(pylock, lock["routes"]), *_rows(lock)])
        files = tuple((f"{folder_of(kind)}/{_name(name)}", int(size)) for kind, name, size, *_ in rows)
        return Glance(str(lock["inputs"]), not lock.get("unresolved"), files, sha256_text(text))
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise InputError("it is no lock", where=str(path), why=repr(error)[:200], fix=together.relock(folder)) from None


def _packages(pylock: dict[str, Any], routes: dict[str, str]) -> Iterator[tuple[Any, ...]]:
    for one in pylock["packages"]:
        kind, file = ("sdist", one["sdist"]) if "sdist" in one else ("wheel", one["wheels"][0])
        origin = f"index:{routes.get(one['name'], 'default')}"
        yield kind, file["name"], file["size"], file["hashes"]["sha256"], origin, one["name"], one["version"]


def _rows(lock: dict[str, Any]) -> Iterator[tuple[Any, ...]]:
    """Once each: what the base and the stack both name is one file."""
    for key, kind in _KINDS.items():
        for one in lock.get(key, ()):
            yield kind, one["file"], one["size"], one["sha256"], one["origin"], one["name"], one["version"]


def _name(file: str) -> str:
    if "/" in file:
        raise ValueError(f"{file!r} is no file name")
    return file
