"""What a person sees while it runs: one line that is written anew, or, where nobody watches, a line now and then."""

from __future__ import annotations

import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

from liveportrait_start.memory import GB, Memory, measured

EVERY = 10.0  # seconds between plain lines
ANEW = 0.5  # seconds between two states of the one line

Gpu = Callable[[], "tuple[int, int] | None"]


def say(text: str) -> None:
    """A line of its own."""
    sys.stderr.write(f"liveportrait: {text}\n")
    sys.stderr.flush()


def clock(seconds: float) -> str:
    """Hours, minutes and seconds."""
    whole = round(seconds)
    hours, minutes = whole // 3600, whole % 3600 // 60
    return f"{hours}:{minutes:02d}:{whole % 60:02d}" if hours else f"{minutes}:{whole % 60:02d}"


def memory_text(memory: Memory, gpu: tuple[int, int] | None) -> str:
    """Memory used of the limit, of the container and the GPU."""
    text = f"memory {(memory.limit - memory.free) / GB:.1f} of {memory.limit / GB:.1f} GB"
    return f"{text}, GPU {gpu[0] / GB:.1f} of {gpu[1] / GB:.1f} GB" if gpu else text


def fitted(text: str, columns: int) -> str:
    """As many of the first parts of a line as a terminal has room for: one that wraps could not be written anew."""
    parts = text.split(", ")
    while len(parts) > 1 and len(", ".join(parts)) >= columns:
        parts.pop()
    return ", ".join(parts)[: columns - 1]


class Progress:
    """The progress of one pass.

    what: its name. total: its frames, 0 where unknown. done: those of an earlier run. gpu: bytes used and all, or None.
    """

    def __init__(self, what: str, total: int, *, done: int = 0, gpu: Gpu = lambda: None) -> None:
        self.what, self.total, self.first, self.done, self.gpu = what, total, done, done, gpu
        self.began = self.shown = time.monotonic()
        self.terminal = sys.stderr.isatty()

    def line(self, batch: int) -> str:
        """Frames done of all, frames a second, time left, batch, memory."""
        seconds = time.monotonic() - self.began
        speed = (self.done - self.first) / seconds if seconds > 0 else 0.0
        of = f" of {self.total}" if self.total else ""
        left = f", {clock((self.total - self.done) / speed)} left" if speed and self.total >= self.done else ""
        numbers = f"{self.done}{of} frames, {speed:.1f}/s{left}, batch {batch}"
        return f"{self.what}: {numbers}, {memory_text(measured(), self.gpu())}"

    def step(self, frames: int, batch: int) -> None:
        """So many more frames are done."""
        self.done += frames
        now = time.monotonic()
        if now - self.shown >= (ANEW if self.terminal else EVERY):
            self.shown = now
            self._show(self.line(batch), end="" if self.terminal else "\n")

    def end(self, batch: int) -> None:
        """The pass is over."""
        self._show(self.line(batch), end="\n")

    def _show(self, text: str, end: str) -> None:
        if self.terminal:
            room = os.get_terminal_size(sys.stderr.fileno()).columns or 80
            sys.stderr.write(f"\r\x1b[K{fitted(f'liveportrait: {text}', room)}{end}")
        else:
            sys.stderr.write(f"liveportrait: {text}{end}")
        sys.stderr.flush()


def peak(root: Path = Path("/")) -> str:
    """The most memory this process has held, and the container where the kernel tells it."""
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    text = f"{own / GB:.2f} GB in this process"
    for name in ("sys/fs/cgroup/memory.peak", "sys/fs/cgroup/memory/memory.max_usage_in_bytes"):
        try:
            whole = int((root / name).read_text())
        except (OSError, ValueError):
            continue
        return f"{text}, {whole / GB:.2f} GB in the container with its encoders and file caches"
    return text
