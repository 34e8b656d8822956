"""The two files of a lock as one thing: which belong together, also while a run writes both, or was killed at it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from builder.errors import InputError, JobError
from builder.files import held_folder, same_file, sha256_text, undisturbed, write_atomic
from builder.lock.model import LOCK_VERSION
from builder.spec import tomldoc

PYLOCK, STACK_LOCK = "pylock.toml", "stack.lock"
_BEFORE = f".{PYLOCK}.before"


def pair(folder: Path) -> tuple[str, dict[str, Any], str, dict[str, Any]]:
    """Text and content of stack.lock, and of the pylock.toml that it was made with."""
    path = folder / STACK_LOCK
    if not os.path.lexists(path):
        raise InputError(f"stack {folder.name} has no lock yet", where=str(path), fix=relock(folder))
    text, data = tomldoc.read(path, relock(folder))
    require_version(data, path)
    python_text, pylock = tomldoc.read(folder / PYLOCK, relock(folder))
    if sha256_text(python_text) == data.get("pylock"):
        return text, data, python_text, pylock
    if kept := _before(folder, data):
        return text, data, *kept
    if tomldoc.read(path, relock(folder))[0] != text:  # another run wrote both between our two looks
        return pair(folder)
    problem = "the two lock files do not belong together"
    why = f"{STACK_LOCK} was made with another {PYLOCK}; one of them was edited or not committed"
    raise InputError(problem, where=str(folder / PYLOCK), why=why, fix=relock(folder))


def _before(folder: Path, lock: Mapping[str, Any]) -> tuple[str, dict[str, Any]] | None:
    """The pylock.toml that a stack.lock was made with, while a run writes both anew or was killed at it."""
    try:
        text, data = tomldoc.read(folder / _BEFORE, relock(folder))
    except InputError:
        return None
    return (text, data) if sha256_text(text) == lock.get("pylock") else None


def put(folder: Path, pylock: str, lock: str, *, instead_of: str = "") -> None:
    """Write both, pylock.toml first.

    instead_of: the digest of the stack.lock that they were made from. Raises JobError, with nothing written, where
    another run wrote one meanwhile. No signal but SIGKILL ends it between the two files; until both are there, the old
    pylock.toml is kept beside the new one, and `pair` goes by it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with held_folder(folder):
        if instead_of and instead_of != _digest(folder):
            raise meanwhile(folder)
        _mended(folder)
        with undisturbed():
            if (folder / PYLOCK).is_file():
                same_file(folder / PYLOCK, folder / _BEFORE)
            write_atomic(folder / PYLOCK, pylock)
            write_atomic(folder / STACK_LOCK, lock)
            (folder / _BEFORE).unlink(missing_ok=True)


def mend(folder: Path) -> None:
    """Undo what a run left that was killed between the two files of a lock."""
    if os.path.lexists(folder / _BEFORE):
        with held_folder(folder):
            _mended(folder)


def _mended(folder: Path) -> None:
    """The same, for who holds the folder: the pylock.toml of stack.lock is put back if that is the one kept."""
    with suppress(InputError):
        _, data = tomldoc.read(folder / STACK_LOCK, relock(folder))
        there = sha256_text(tomldoc.read(folder / PYLOCK, relock(folder))[0])
        if there != data.get("pylock") and _before(folder, data):
            (folder / _BEFORE).replace(folder / PYLOCK)
    (folder / _BEFORE).unlink(missing_ok=True)


def _digest(folder: Path) -> str:
    """The digest of the stack.lock that is there, "" where none can be read."""
    try:
        return sha256_text(tomldoc.read(folder / STACK_LOCK, relock(folder))[0])
    except InputError:
        return ""


def meanwhile(folder: Path) -> JobError:
    """That the lock is another one by now."""
    problem, why = "another run wrote this lock meanwhile", "what was at hand was made from the one before"
    return JobError(problem, where=str(folder / STACK_LOCK), why=why, fix="run the same command again")


def relock(folder: Path) -> str:
    """What to do about a lock that cannot be used."""
    return f"run `make lock STACK={folder.name}`"


def require_version(data: Mapping[str, Any], path: Path) -> None:
    """Raise InputError where a lock is of another version than this program reads."""
    version = data.get("version")
    if type(version) is not int or version != LOCK_VERSION:
        problem = f"it is a lock of version {str(version)[:20]}, this program reads {LOCK_VERSION}"
        raise InputError(problem, where=str(path), fix=relock(path.parent))
