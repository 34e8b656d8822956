"""Talk: the only room that prints. Results go to stdout: a table, lines of text, or one JSON document; talk to stderr.

On a terminal long work shows bars; elsewhere plain lines. `NO_COLOR` is obeyed (rich does).
rich is imported by the first line that is printed: `--help` and a run that only gives JSON need none of it.
"""

# ruff: noqa: PLC0415

from __future__ import annotations

import os
import shutil
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, TextIO

from builder.errors import InputErrors, ModelstacksError
from builder.plain import plain
from builder.ui.speech import spoken
from builder.ui.work import LONG, Work

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

_WIDE = 200  # characters of a table's line off a terminal
_PLAIN_SECONDS = 5.0  # off a terminal, one progress line per this many seconds


def human_bytes(count: float) -> str:
    """A byte count as people read it: 1.5 MB (powers of 1000)."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def _room(stream: TextIO) -> int | None:
    """The columns of the terminal that a stream is, None where it is none: a file or a pipe has no width."""
    if not stream.isatty():
        return None
    try:
        seen = os.get_terminal_size(stream.fileno()).columns
    except (OSError, ValueError):
        seen = 0
    given = os.environ.get("COLUMNS", "")
    return int(given) if given.isdecimal() and int(given) else seen or shutil.get_terminal_size().columns


def _escape(text: str) -> str:
    """The text as it may be shown, and as rich shows it unchanged."""
    from rich.markup import escape

    return escape(plain(text))


def _bar(console: Console) -> Progress:
    from rich import progress as of

    words = of.TextColumn("{task.description}"), of.BarColumn(), of.TaskProgressColumn(), of.DownloadColumn()
    return of.Progress(*words, of.TransferSpeedColumn(), of.TimeRemainingColumn(), console=console, transient=True)


class Transfer:
    """Progress of one set of bytes; `advance` may be called from any thread."""

    def __init__(self, ui: Ui, what: str, total: int) -> None:
        self._ui, self._what, self.total = ui, what, total
        self.done = 0
        self._lock = threading.Lock()
        self._started = self._spoke = time.monotonic()
        self._bar: Progress | None = None
        if ui.console.is_terminal:
            self._bar = _bar(ui.console)
            self._task = self._bar.add_task(_escape(what), total=total)
            self._bar.start()

    def advance(self, count: int) -> None:
        """Add count bytes (negative when a part has to be fetched again)."""
        with self._lock:
            self.done += count
            if self._bar is not None:
                self._bar.update(self._task, completed=self.done)
                return
            now = time.monotonic()
            if now - self._spoke >= _PLAIN_SECONDS:
                self._spoke = now
                self._ui.say(f"{self._what}: {self._line(now)}")

    def _line(self, now: float) -> str:
        rate = self.done / max(now - self._started, 1e-9)
        left = f", {max(self.total - self.done, 0) / rate:.0f} s left" if rate > 0 else ""
        return f"{human_bytes(self.done)} of {human_bytes(self.total)}, {human_bytes(rate)}/s{left}"

    def close(self) -> None:
        """Take the bar off the screen; what took long leaves a line."""
        if self._bar is not None:
            self._bar.stop()
        took = time.monotonic() - self._started
        if took >= LONG:
            self._ui.say(f"    {self._what}: {human_bytes(self.done)} ({took:.1f} s)")


class Ui:
    """What one run says. as_json: print one JSON document on stdout at the end."""

    def __init__(self, *, as_json: bool = False) -> None:
        self.as_json = as_json
        self._spoken = False

    @cached_property
    def console(self) -> Console:
        """Where the talk goes."""
        from rich.console import Console

        console = Console(stderr=True, highlight=False, soft_wrap=True, emoji=False)
        if not console.is_terminal:
            console.width = _WIDE  # a log has no width to keep to: one row, one line
        return console

    def say(self, text: str) -> None:
        """One line of talk; markup in it is shown, not obeyed."""
        self._talk("", "", spoken(text))

    def step(self, text: str) -> None:
        """One line that says what is being done now."""
        self._talk("==>", "bold", text)

    def working(self, what: str) -> Work:
        """Work that may take seconds, for the length of a with block; see `Work`."""
        return Work(self, what)

    def sub(self, prefix: str, line: str) -> None:
        """One line of a program that was started, as it is, told apart from our own lines by its prefix."""
        self.console.print(f"[dim]{_escape(prefix)} |[/dim] {_escape(line)}")

    def warn(self, text: str) -> None:
        """One warning."""
        self._talk("warning:", "yellow", spoken(text))

    def error(self, error: ModelstacksError) -> None:
        """An error with its place, reason and fix, each on a line."""
        for one in error.errors if isinstance(error, InputErrors) else [error]:
            self._talk("error:", "red", f"{one.where}: {one.problem}" if one.where else one.problem)
            if one.why:
                self._talk("  why:", "", spoken(one.why))
            if one.fix:
                self._talk("  fix:", "", spoken(one.fix))

    def _talk(self, mark: str, style: str, text: str) -> None:
        """Words of ours after a mark, on a terminal in lines of its width; a file has them on one line."""
        from builder.ui import table

        room, hang = _room(sys.stderr), len(mark) + 1 if mark else 0
        lines = table.flowed(plain(text), room - hang) if room else [text]
        words = _escape(f"\n{' ' * hang}".join(lines))
        shown = f"[{style}]{mark}[/{style}]" if style else mark
        self.console.print(f"{shown} {words}" if mark else words)

    def table(
        self,
        title: str,
        columns: Sequence[str],
        rows: Sequence[Sequence[str]],
        *,
        talk: bool = False,
        spare: Sequence[str] | None = None,
    ) -> None:
        """A table of text cells: a result, or with talk=True a part of the talk.

        spare: keep each row to one line; these columns go where the screen is too narrow, the first named first.
        """
        from builder.ui import table

        stream = self._stream(talk=talk)
        names, cells = [plain(one) for one in columns], [[plain(cell) for cell in row] for row in rows]
        if spare is None:
            lines = table.side_by_side(names, cells, _room(stream) or _WIDE)
        else:
            lines = table.one_line_a_row(names, cells, _room(stream), spare)
        titled = [*([plain(title)] if title else []), *([] if any(names) else [""])]
        self._write(stream, titled, lines, head=2 if any(names) else 0)

    def _stream(self, *, talk: bool) -> TextIO:
        """Where a result goes: under --json stdout is kept for the document."""
        return sys.stderr if talk or self.as_json else sys.stdout

    def _write(self, stream: TextIO, title: Sequence[str], lines: Sequence[str], head: int) -> None:
        if not (stream.encoding or "").lower().startswith("utf"):
            lines = [line.replace("─", "-").replace("…", "...") for line in lines]
        if stream.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb":
            title = [f"\x1b[1m{line}\x1b[0m" if line else "" for line in title]
            lines = [f"\x1b[2m{line}\x1b[0m" if number < head else line for number, line in enumerate(lines)]
        sys.stderr.flush()
        stream.write("\n".join([*title, *lines, ""]) + "\n")
        stream.flush()

    def tell(self, text: str, *, whole: bool = False) -> None:
        """One line of a result, beside its tables. whole: it holds a command to copy, and is not wrapped."""
        from builder.ui import table

        stream, said = self._stream(talk=False), plain(spoken(text))
        room = None if whole else _room(stream)
        sys.stderr.flush()
        stream.write("\n".join(table.wrapped(said, room) if room else [said]) + "\n")
        stream.flush()

    @contextmanager
    def transfer(self, what: str, total: int) -> Iterator[Transfer]:
        """Show bytes, rate and time left of a transfer of `total` bytes while the block runs."""
        transfer = Transfer(self, what, total)
        try:
            yield transfer
        finally:
            transfer.close()

    def result(self, text: str) -> None:
        """What the run was asked for, as text on stdout; nothing where JSON was asked for."""
        if not self.as_json:
            sys.stdout.write(f"{text}\n")
            sys.stdout.flush()

    def document(self, value: dict[str, Any]) -> None:
        """Print the run's one JSON document, when JSON was asked for; only the first one counts."""
        if self.as_json and not self._spoken:
            import json

            self._spoken = True
            sys.stdout.write(json.dumps(value, indent=2, sort_keys=True) + "\n")
            sys.stdout.flush()
