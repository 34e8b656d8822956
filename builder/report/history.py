"""What the lock of a stack says that the one before it did not, by the git history of its two files."""

from __future__ import annotations

import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from builder.errors import InputError
from builder.lock import store
from builder.lock.changes import changed
from builder.lock.model import StackLock
from builder.lock.together import PYLOCK, STACK_LOCK

_MOST = 8 << 20  # bytes of a file of an earlier lock


@dataclass(frozen=True)
class History:
    """What changed. before: the commit of the earlier lock, "" where there is none. why: why nothing is told."""

    before: str = ""
    rows: tuple[tuple[str, str, str], ...] = ()
    why: str = ""


def since(folder: Path, lock: StackLock) -> History:
    """Against the newest lock in git that is another one. Without git, or where there is none, it says so."""
    commits = _git(folder, "log", "-20", "--format=%H", "--", STACK_LOCK, PYLOCK).decode(errors="replace").split()
    own = (folder / STACK_LOCK).read_bytes()
    for commit in commits:
        text, python = (_git(folder, "show", f"{commit}:./{name}") for name in (STACK_LOCK, PYLOCK))
        if not text or text == own:
            continue
        try:
            return History(commit[:12], changed(_read(folder.name, text, python), lock))
        except InputError:
            return History(commit[:12], why="the earlier lock cannot be read by this version")
    return History(why="git has no earlier lock" if commits else "the lock is not in git")


def _read(name: str, text: bytes, python: bytes) -> StackLock:
    with tempfile.TemporaryDirectory(prefix="modelstacks-report-") as aside:
        folder = Path(aside) / name
        folder.mkdir()
        (folder / STACK_LOCK).write_bytes(text)
        (folder / PYLOCK).write_bytes(python)
        return store.read(folder)


def _git(folder: Path, *words: str) -> bytes:
    """What git prints, b"" for nothing that can be used: no history is no fault of a stack."""
    command = ["git", "-c", "core.fsmonitor=false", "-C", str(folder), "--no-pager", *words]
    try:
        done = subprocess.run(command, capture_output=True, check=False, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return b""
    return done.stdout if done.returncode == 0 and len(done.stdout) <= _MOST else b""
