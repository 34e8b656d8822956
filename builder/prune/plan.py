"""What may go: what no lock of any folder of stacks names, and nobody may be about to use."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from builder.build.image import BUILD_LABEL
from builder.engine.client import Engine
from builder.lock import StackLock, store
from builder.lock.service import ServiceLock, read_any
from builder.render.base import base_key, base_tag
from builder.render.ready import layers_tag
from builder.settings import Settings
from builder.spec import Loaded

YOUNG = 3600.0  # seconds: what came later may be of a command that runs, such as one that has not written its lock yet
_FOLDERS = ("wheels", "assets/debs", "assets/sources", "assets/weights", "assets/archives", "assets/bases/blobs")
_OURS = ("modelstacks/base:", "modelstacks/layers:")
_BUILT = re.compile(r"[0-9a-f]{64}")
_BASE = re.compile(r"([0-9a-f]{64})\.tar")
_DISTRIBUTIONS = (".whl", ".tar.gz", ".zip", ".tar.bz2")

Locks = list[StackLock | ServiceLock]


@dataclass(frozen=True)
class Left:
    """Something that may go. size: bytes on disk; of a file with other names none are gained, so 0."""

    kind: Literal["file", "folder", "image"]
    name: str
    size: int

    def document(self) -> dict[str, Any]:
        """For --json."""
        return asdict(self)


def locks(loaded: Iterable[Loaded]) -> Locks:
    """The lock of everything that has one, stale ones too.

    Raises InputError for one that cannot be read: what it names is not known, so nothing may go.
    """
    return [read_any(one.folder) for one in loaded if store.exists(one.folder)]


def left(settings: Settings, named: Locks, engine: Engine | None) -> list[Left]:
    """What may go, files first. engine: None where there is none, and no image is looked at."""
    wanted = {Path(item.folder, item.filename) for lock in named for item in lock.carried()}
    used = _open_files()
    found = [one for folder in _FOLDERS for one in _files(settings.home, Path(folder), wanted, used)]
    keys = {path.parts[2] for path in wanted if path.parts[:2] == ("wheels", "built")}
    found += _built(settings.wheels / "built", settings.home, keys, used)
    bases = {base_key(lock.base) for lock in named}
    found += _bases(settings.assets / "bases", settings.home, bases, used)
    return found + (list(_images(settings, named, engine)) if engine else [])


def _files(home: Path, folder: Path, wanted: set[Path], used: set[str]) -> Iterator[Left]:
    for path in _listed(home / folder):
        ours = folder.name != "wheels" or path.name.endswith(_DISTRIBUTIONS)
        if ours and folder / path.name not in wanted and path.is_file() and not path.is_symlink():
            yield from _old(path, home, used)


def _listed(folder: Path) -> list[Path]:
    """What is in a folder, its hidden files left out: those are of commands that run or ran."""
    with suppress(OSError):
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    return []


def _old(path: Path, home: Path, used: set[str]) -> Iterator[Left]:
    with suppress(OSError):
        about = path.lstat()
        # The time of the inode, not of the content: a file that was linked or renamed just now is young.
        if time.time() - about.st_ctime > YOUNG and str(path.resolve()) not in used:
            yield Left("file", str(path.relative_to(home)), about.st_size if about.st_nlink == 1 else 0)


def _built(top: Path, home: Path, keys: set[str], used: set[str]) -> Iterator[Left]:
    """Folders of compiled wheels by their keys."""
    for path in _listed(top):
        if _BUILT.fullmatch(path.name) and path.name not in keys and path.is_dir() and not path.is_symlink():
            inside = [one for one in path.rglob("*") if one.is_file() and not one.is_symlink()]
            rows = [row for one in inside for row in _old(one, home, used)]
            if len(rows) == len(inside):
                yield Left("folder", str(path.relative_to(home)), sum(row.size for row in rows))


def _bases(top: Path, home: Path, keys: set[str], used: set[str]) -> Iterator[Left]:
    for path in _listed(top):
        key = _BASE.fullmatch(path.name)
        if key and key[1] not in keys and path.is_file() and not path.is_symlink():
            yield from _old(path, home, used)


def _open_files() -> set[str]:
    """The files that any process has open that this user may ask about."""
    found: set[str] = set()
    for handles in Path("/proc").glob("[0-9]*/fd"):
        with suppress(OSError):
            for handle in handles.iterdir():
                with suppress(OSError):
                    found.add(str(handle.readlink()))
    return found


def _images(settings: Settings, named: Locks, engine: Engine) -> Iterator[Left]:
    """Names of images that we gave and that no lock leads to; those that a container uses stay."""
    keep = {settings.image(lock.stack, tag) for lock in named for tag in ("latest", lock.digest[:12])}
    keep |= {base_tag(lock.base) for lock in named}
    keep |= {layers_tag(lock) for lock in named if isinstance(lock, StackLock)}
    busy = {str(row.get("ImageID")) for row in engine.containers(stopped=True)}
    for row in _rows(engine):
        name = f"{row['Repository']}:{row['Tag']}"
        if name in keep or not _ours(name, settings):
            continue
        facts = engine.image(name)
        if facts and facts.id not in busy and (name.startswith(_OURS) or BUILD_LABEL in facts.labels):
            yield Left("image", name, facts.size)


def _ours(name: str, settings: Settings) -> bool:
    return name.startswith(_OURS) or (
        name.startswith(f"{settings.image_prefix}/") and "/" not in name.removeprefix(f"{settings.image_prefix}/")
    )


def _rows(engine: Engine) -> list[dict[str, str]]:
    said = engine.run(["image", "ls", "--format", "{{json .}}"]).stdout
    return [json.loads(line) for line in said.splitlines()]
