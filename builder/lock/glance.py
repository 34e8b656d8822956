"""A lock as `list` shows it: how far it is and how large, read in a third of the time. Whoever uses a lock reads it
by `store.read`, which holds every word of it to a model; nothing that is taken from here is fetched, run or built."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from builder.errors import InputError
from builder.files import read_bounded, sha256_text
from builder.kept import Kept
from builder.lock import store, together
from builder.lock.model import LOCK_VERSION, Kind, folder_of
from builder.spec import tomldoc

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
_FORM = 1  # of what is kept; another one is read anew


@dataclass(frozen=True)
class Glance:
    """inputs: the digest of what it was made from. whole: nothing is unresolved. files: the path, relative to the home
    folder, and the size of each file to fetch. digest: of the lock, as its image's tag has it."""

    inputs: str
    whole: bool
    files: tuple[tuple[str, int], ...]
    digest: str


def glance(folder: Path, kept: Kept | None = None) -> Glance:
    """What the lock in a stack's folder says of itself. kept: where that lies of a run before.

    Raises InputError where a file is missing or no TOML, the two do not belong together, or the lock is of another
    version or stack, or lacks what is shown.
    """
    if kept is None:
        return _read(folder)
    given = seen(folder)
    if (found := kept.get(str(folder), given)) and given:
        with suppress(TypeError, ValueError, KeyError):
            files = tuple((str(path), int(size)) for path, size in found["files"])
            return Glance(str(found["inputs"]), bool(found["whole"]), files, str(found["digest"]))
    new = _read(folder)
    if given:
        kept.put(str(folder), given, vars(new))
    return new


def seen(folder: Path) -> str:
    """A digest of both files of a lock as they are, "" where one cannot be read."""
    try:
        files = [read_bounded(folder / name, tomldoc.LIMIT) for name in (store.STACK_LOCK, store.PYLOCK)]
    except OSError:
        return ""
    return sha256_text(repr([hashlib.sha256(data).hexdigest() for data in files] + [LOCK_VERSION, _FORM]))


def _read(folder: Path) -> Glance:
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
