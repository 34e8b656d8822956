"""What runs of ours that were killed have left behind: temporary folders and files, and smoke containers."""

from __future__ import annotations

import os
import re
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from builder.engine.client import Engine
from builder.errors import ModelstacksError
from builder.settings import Settings

DAY = 86400.0  # seconds; no run takes so long, so what is older belongs to none
_TEMPORARY = re.compile(r"modelstacks-(uv|image|apt|smoke|probes|verify|report)-[a-z0-9_]{8}")
_HOME = re.compile(r"\.(git|tree|new|image|bootstrap|reproduce|compiling|copy|edited)-[a-z0-9_]{8}|\..+\.new")
# Names of `files.scratch`, which clears them itself when the same room is used again.
_SCRATCH = re.compile(r"(uv|apt|image|git|new|bootstrap|reproduce|compiling|edited)-[a-z0-9_]{8}")
_DEPTH = 2  # folders below wheels/, assets/ and build/ in which rooms write aside
_CONTAINER = re.compile(r"/modelstacks-smoke-[a-z0-9._-]+-[0-9a-f]{8}")
_PROGRAM = ("sleep", ["3600"])  # what a smoke container runs, and for how many seconds at most


def files(settings: Settings, *, older: float = DAY) -> list[Path]:
    """Folders and files that bear our temporary names, are this user's own and were not touched for `older` seconds."""
    before = time.time() - older
    places = [(Path(tempfile.gettempdir()), _TEMPORARY, 0)]
    places += [(settings.home / name, _HOME, _DEPTH) for name in ("wheels", "assets", "build", "stacks")]
    return [path for folder, names, depth in places for path in _below(folder, names, depth) if _left(path, before)]


def _below(folder: Path, names: re.Pattern[str], depth: int) -> Iterator[Path]:
    """What bears one of the names in a folder and, so deep, in those below it; links are not followed."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        if names.fullmatch(entry.name) or (folder.name == ".scratch" and _SCRATCH.fullmatch(entry.name)):
            yield Path(entry.path)
        elif depth and entry.is_dir(follow_symlinks=False):
            yield from _below(Path(entry.path), names, depth - 1)


def _left(path: Path, before: float) -> bool:
    try:
        found = path.lstat()
    except OSError:
        return False
    plain = stat.S_ISDIR(found.st_mode) or stat.S_ISREG(found.st_mode)
    return plain and found.st_uid == os.geteuid() and found.st_mtime < before and not _mounted(path)


def _mounted(path: Path) -> bool:
    """Whether something is mounted in a folder: it would be emptied with it."""
    try:
        lines = Path("/proc/self/mounts").read_text(errors="replace").splitlines()
    except OSError:
        return True
    # The kernel writes a blank, tab, line end or backslash of a path as \ and three octal digits.
    places = (re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), line.split()[1]) for line in lines)
    return any(f"{place}/".startswith(f"{path.resolve()}/") for place in places)


def containers(*, older: float = 7200) -> list[str]:
    """Smoke containers of ours that do not run and were made `older` seconds ago, by id; none without an engine."""
    try:
        engine = Engine.connect(builds=False)
        ids = [str(one["Id"]) for one in engine.containers(named="^/modelstacks-smoke-", stopped=True)]
        found = [one for one in map(engine.container, ids) if one]
    except ModelstacksError:
        return []
    before = time.gmtime(time.time() - older)
    return [
        str(one["Id"]) for one in found if _ours(one) and one["Created"] < time.strftime("%Y-%m-%dT%H:%M:%S", before)
    ]


def _ours(one: Mapping[str, object]) -> bool:
    state = one["State"]
    running = isinstance(state, dict) and state.get("Running")
    return bool(_CONTAINER.fullmatch(str(one["Name"]))) and (one["Path"], one["Args"]) == _PROGRAM and not running


def remove_file(path: Path) -> None:
    """Remove one of `files`. Raises OSError."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def remove_container(name: str) -> None:
    """Remove one of `containers`; one that runs by now is left alone. Raises JobError."""
    Engine.connect(builds=False).remove_container(name)
