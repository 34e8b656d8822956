"""What a run has done so far: a folder beside the output, held by one run at a time, tied to what it is made from."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from liveportrait_start.passes.files import write
from liveportrait_start.passes.stop import Stop

FORMAT = "1"  # of the folder; another one is another run's


class State:
    """A folder NAME.state, its lock held. made_from: what the run is made from, by name, such as the inputs' hashes."""

    def __init__(self, folder: Path, lock: IO[str], notes: dict[str, Any]) -> None:
        self.folder = folder
        self.lock = lock
        self.notes = notes
        self.resumed = bool(notes)

    def note(self, **values: Any) -> None:  # noqa: ANN401  (what JSON can hold)
        """Keep facts about the passes, such as that one is over."""
        self.notes.update(values)
        write(self.folder / "notes.json", json.dumps(self.notes))

    def remove(self) -> None:
        """The video is whole: take the folder away."""
        aside = self.folder.with_name(f"{self.folder.name}.done.{os.getpid()}")
        self.folder.replace(aside)  # at once, so that no other run finds half of it
        shutil.rmtree(aside, ignore_errors=True)
        self.lock.close()


def _locked(folder: Path) -> IO[str]:
    """The lock of a folder, which is made. Raises Stop where another run holds it."""
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            lock = (folder / "lock").open("a")
        except FileNotFoundError:  # the run that ended right now took the folder away
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            raise Stop(
                f"another run is making this video (it holds {folder}); wait for it, or give -o another folder"
            ) from None
        try:
            if os.path.samestat(os.fstat(lock.fileno()), (folder / "lock").stat()):
                return lock
        except FileNotFoundError:
            pass
        lock.close()


def _differences(then: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """What is not as it was, in words; short values with both."""
    found = []
    for key in sorted({*then, *now}):
        old, new = then.get(key), now.get(key)
        if old != new:
            short = max(len(str(old)), len(str(new))) <= 40
            found.append(f"{key} (then {old}, now {new})" if short else key)
    return found


def begin(folder: Path, made_from: Mapping[str, str], *, restart: bool) -> State:
    """The state of this video: what an ended run left, or a new one.

    Raises Stop where another run holds it, or where it was made from something else and `restart` is not given.
    """
    lock = _locked(folder)
    now = {"format": FORMAT, **made_from}
    key, notes = folder / "made_from.json", folder / "notes.json"
    if restart or not key.exists():
        for one in folder.iterdir():
            if one.name != "lock":
                shutil.rmtree(one) if one.is_dir() else one.unlink()
        write(key, json.dumps(now, indent=1))
        return State(folder, lock, {})
    then = json.loads(key.read_text())
    if then != now:
        lock.close()
        raise Stop(
            f"{folder} holds what a run with other inputs did: {', '.join(_differences(then, now))}. "
            "Give what was given then to go on, or --restart to begin anew"
        )
    kept = json.loads(notes.read_text()) if notes.exists() else {}
    state = State(folder, lock, kept)
    state.resumed = True
    return state
