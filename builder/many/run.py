"""Make several stacks at once, as many as cores, memory and disk bear.

Each is made by a process of this program of its own. What two of them share, such as a base, a download or a compiled
wheel, is made by the one that comes first, while the other waits for it: the rooms hold it by lock files.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from builder.errors import JobError
from builder.lock.existing import readable
from builder.lock.model import ROOM
from builder.many.summary import write
from builder.plain import json_object
from builder.settings import Settings
from builder.spec import Loaded
from builder.spec.model import Stack
from builder.stack import last_seconds
from builder.ui import Ui
from builder.ui.board import Board

State = Literal["made", "failed"]
_MEMORY = 2 << 30  # bytes that one takes at most beside the engine: uv and what packs layers
_PATIENCE = 20.0  # seconds that a process has to end in when told to


@dataclass(frozen=True)
class Outcome:
    """What became of a stack. document: what its run said in JSON, with `errors` where it failed. log: all its talk."""

    stack: str
    state: State
    seconds: float
    document: dict[str, Any] = field(repr=False)
    log: Path

    def error(self) -> str:
        """Its first error in one line, "" for none."""
        rows = self.document.get("errors") or []
        return f"{rows[0].get('problem', '')}: {rows[0].get('why', '')}".strip(": ") if rows else ""


def width(wanted: int, settings: Settings) -> int:
    """How many are made at a time. wanted: 0 for what this machine bears.

    That is one more than cores: each waits now and then, for a network, a disk or the engine (bench/together.py).
    """
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return max(1, min(wanted or (os.cpu_count() or 1) + 1, memory // _MEMORY, settings.jobs))


def in_turn(loaded: Sequence[Loaded], settings: Settings) -> list[Loaded]:
    """The order to begin them in: those that were never built here, then by what the last build took, longest first.

    A long one that begins last would run alone at the end.
    """
    took = {one.name: last_seconds(settings, one.name) for one in loaded}
    return sorted(loaded, key=lambda one: -(took[one.name] or float("inf")))


def make_all(loaded: Sequence[Loaded], words: Sequence[str], settings: Settings, ui: Ui, *, jobs: int) -> list[Outcome]:
    """Make these stacks; words: the options that each process is given. Writes build/stacks.json and stacks.junit.xml.

    One that fails stops no other (`require_all`). Told to stop, it ends them all.
    """
    names = [one.name for one in loaded]
    work = _Work(settings, list(words), Board(ui, names))
    found: dict[str, Outcome] = {}
    count = width(jobs, settings)
    ui.say(f"{len(names)} stacks, {count} at a time")
    with work.board, ThreadPoolExecutor(count) as pool:
        try:
            for done in as_completed([pool.submit(work.make, one) for one in in_turn(loaded, settings)]):
                outcome = done.result()
                found[outcome.stack] = outcome
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            work.end()
            raise
    outcomes = [found[name] for name in names]
    places = write(outcomes, settings.build)
    rows = [[one.stack, one.state, f"{one.seconds:.1f}", one.error()[:200]] for one in outcomes]
    ui.table("", ["stack", "", "seconds", "error"], rows)
    ui.tell(f"summary: {', '.join(map(str, places))}")
    return outcomes


def require_all(outcomes: Sequence[Outcome]) -> None:
    """Raise JobError, naming them, where stacks failed."""
    if failed := [one for one in outcomes if one.state == "failed"]:
        problem = f"{len(failed)} of {len(outcomes)} stacks failed: {', '.join(one.stack for one in failed)}"
        raise JobError(
            problem, where=str(failed[0].log), why=failed[0].error(), fix=f"make stack STACK={failed[0].stack}"
        )


class _Work:
    """The processes of one run."""

    def __init__(self, settings: Settings, words: list[str], board: Board) -> None:
        self._settings, self._words, self.board = settings, words, board
        self._running: set[subprocess.Popen[str]] = set()
        self._lock, self._ended = threading.Condition(), False

    def make(self, one: Loaded) -> Outcome:
        """Run one to its end."""
        started = time.monotonic()
        log = self._settings.build / one.name / "stack.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        with self._started(one) as process, log.open("w") as kept:
            answer: list[str] = []
            reader = threading.Thread(target=lambda: answer.append(process.stdout.read() if process.stdout else ""))
            reader.start()
            for line in process.stderr or ():
                kept.write(line)
                if line.startswith("==> "):
                    self.board.say(one.name, line[4:].strip())
            reader.join()
        with self._lock:
            self._running.discard(process)
            self._lock.notify_all()
        document = json_object("".join(answer))
        state: State = "made" if process.returncode == 0 and "stacks" in document else "failed"
        if state == "failed" and not document.get("errors"):
            document = {"errors": [{"problem": f"its process ended with {process.returncode}", "why": _last(log)}]}
        seconds = time.monotonic() - started
        self.board.end(one.name, state)
        return Outcome(one.name, state, round(seconds, 3), document, log)

    def _started(self, one: Loaded) -> subprocess.Popen[str]:
        """Its process, begun once there is room for it: at once where nothing else runs."""
        command = [sys.executable, "-m", "builder", "--json", "stack", *self._words, "--", one.name]
        if shutil.which("setpriv"):  # one that is killed takes them along
            command = ["setpriv", "--pdeathsig", "TERM", "--", *command]
        with self._lock:
            while self._running and not self._fits(one) and not self._ended:
                self.board.say(one.name, "waits for room on the disk")
                self._lock.wait()
            if self._ended:
                raise KeyboardInterrupt
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
                start_new_session=True,
            )
            self._running.add(process)
        return process

    def _fits(self, one: Loaded) -> bool:
        lock = readable(one.folder) if isinstance(one, Stack) else None
        files = lock.carried() if lock else ()
        missing = sum(item.size for item in files if not (self._settings.home / item.folder / item.filename).is_file())
        return shutil.disk_usage(self._settings.home).free > missing * ROOM

    def end(self) -> None:
        """Tell every process to stop, and wait for it; what does not is killed."""
        with self._lock:
            self._ended = True
            running = list(self._running)
            self._lock.notify_all()
        for process in running:
            process.terminate()
        until = time.monotonic() + _PATIENCE
        for process in running:
            try:
                process.wait(max(until - time.monotonic(), 0.1))
            except subprocess.TimeoutExpired:
                process.kill()


def _last(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-3:])
