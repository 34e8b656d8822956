"""A run of the command line that is shown to stop inside a named function of the program, and what is sent to it there.

The program is the real one; one of its functions is wrapped in the child, which says that it is there and then waits.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import REPO

SIGNALS = [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT]
# Where the wrapped function is called the number-th time with arguments that match, the child waits before it.
_DRIVER = """
import functools, itertools, re, sys, time
from importlib import import_module
from pathlib import Path
place, pattern, number, folder, *words = sys.argv[1:]
module, _, name = place.partition(":")
owner = import_module(module)
*path, last = name.split(".")
for step in path:
    owner = getattr(owner, step)
real, calls = getattr(owner, last), itertools.count(1)

@functools.wraps(real)
def waiting(*args, **named):
    if re.search(pattern, repr((args, named))) and next(calls) == int(number):
        Path(folder, "inside").touch()
        while not Path(folder, "on").exists():
            time.sleep(0.02)
    return real(*args, **named)

setattr(owner, last, waiting)
sys.argv[1:] = words
import_module("builder.cli").main()
"""


@dataclass
class Stopped:
    """A run that waits inside."""

    process: subprocess.Popen[str]
    folder: Path

    def go_on(self) -> None:
        """Let it go on from where it waits."""
        (self.folder / "on").touch()

    def ended(self, number: int | None = None) -> tuple[int, str]:
        """Send a signal, let what waits go on, and give exit code and standard error."""
        if number is not None:
            self.process.send_signal(number)
        if number != signal.SIGKILL:
            self.go_on()
        _, said = self.process.communicate(timeout=300)
        return self.process.returncode, said

    def at_once(self) -> tuple[int, str]:
        """Kill it alone, as the kernel does that lacks memory: what it started gets no signal."""
        return self.ended(signal.SIGKILL)


@contextmanager
def stopped(
    point: tuple[str, str, int], words: list[str], folder: Path, *, env: Mapping[str, str], before: str = ""
) -> Iterator[Stopped]:
    """Run the command line until it is before the number-th call of a function whose arguments match a pattern.

    point: `module:function` or `module:Class.method`, the pattern, the number. folder: an empty one for what the two
    say to each other. before: Python code that the child runs first.
    """
    folder.mkdir(parents=True)
    command = [sys.executable, "-c", before + _DRIVER, *map(str, point), str(folder), *words]
    with subprocess.Popen(
        command, cwd=REPO, env={**os.environ, **env}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            _until_inside(process, folder)
            yield Stopped(process, folder)
        finally:
            process.kill()


def _until_inside(process: subprocess.Popen[str], folder: Path) -> None:
    end = time.monotonic() + 300
    while not (folder / "inside").exists():
        if process.poll() is not None or time.monotonic() > end:
            process.kill()
            raise AssertionError(f"it was never seen inside:\n{process.communicate()[1][-3000:]}")
        time.sleep(0.02)


def until(true: Callable[[], object], seconds: float = 60) -> None:
    """Wait until something is so."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.05)


def children(parent: int) -> list[int]:
    """The processes that have a process for their parent, or its children's."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            if int(path.read_text().rpartition(")")[2].split()[1]) == parent:
                found += [int(path.parent.name), *children(int(path.parent.name))]
    return found


def alive(process: int) -> bool:
    """Whether a process is there and has not ended."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def tree(*folders: Path) -> dict[str, bytes]:
    """Every file below these folders by its path; lock files, which stay, are left out."""
    found = (path for folder in folders for path in folder.rglob("*"))
    return {str(path): path.read_bytes() for path in found if path.is_file() and path.suffix != ".lock"}


def aside(*folders: Path) -> list[str]:
    """What lies aside below these folders: half-written files, scratch folders with something in them."""
    names = [path for folder in folders for path in folder.rglob("*")]
    scratch = [path for path in names if path.parent.name == ".scratch"]
    half = [path for path in names if path.name.endswith((".new", ".before")) or path.name == ".import"]
    return sorted(str(path) for path in {*scratch, *half})


def code_of(number: int) -> int:
    """The exit code of a run that such a signal ended: its own, or by the kernel."""
    return -number if number == signal.SIGKILL else 130


def at(points: Iterable[str], *every: str) -> pytest.MarkDecorator:
    """SIGKILL at each point; the signals that a run can answer at those of `every` too."""
    cases = [(point, signal.SIGKILL) for point in points]
    cases += [(point, number) for point in every for number in SIGNALS if number != signal.SIGKILL]
    ids = [f"{number.name} {point}" for point, number in cases]
    return pytest.mark.parametrize(("point", "number"), cases, ids=ids)
