"""Talk: the only room that prints. Human talk goes to stderr, the one JSON document to stdout.

On a terminal long work shows bars; elsewhere plain lines. `NO_COLOR` is obeyed (rich does).
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Table

from builder.errors import InputErrors, ModelstacksError
from builder.ui.spoken import spoken

_WIDE = 200  # characters of a table's line off a terminal
_PLAIN_SECONDS = 5.0  # off a terminal, one progress line per this many seconds


def human_bytes(count: float) -> str:
    """A byte count as people read it: 1.5 MB (powers of 1000)."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


class Transfer:
    """Progress of one set of bytes; `advance` may be called from any thread."""

    def __init__(self, ui: Ui, what: str, total: int) -> None:
        self._ui, self._what, self.total = ui, what, total
        self.done = 0
        self._lock = threading.Lock()
        self._started = self._spoke = time.monotonic()
        self._bar: Progress | None = None
        if ui.console.is_terminal:
            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                TaskProgressColumn(),
                DownloadColumn(),
                TransferSpeedColumn(),
                TimeRemainingColumn(),
                console=ui.console,
                transient=True,
            )
            self._task = self._bar.add_task(escape(what), total=total)
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
        """Take the bar off the screen."""
        if self._bar is not None:
            self._bar.stop()


class Ui:
    """What one run says. as_json: print one JSON document on stdout at the end."""

    def __init__(self, *, as_json: bool = False) -> None:
        self.as_json = as_json
        self._spoken = False
        self.console = Console(stderr=True, highlight=False, soft_wrap=True, emoji=False)
        if not self.console.is_terminal:
            # A log has no width to keep to: one row, one line.
            self.console.width = _WIDE

    def say(self, text: str) -> None:
        """One line of talk; markup in it is shown, not obeyed."""
        self.console.print(escape(spoken(text)))

    def step(self, text: str) -> None:
        """One line that says what is being done now."""
        self.console.print(f"[bold]==>[/bold] {escape(text)}")

    def sub(self, prefix: str, line: str) -> None:
        """One line of a program that was started, told apart from our own lines by its prefix."""
        self.console.print(f"[dim]{escape(prefix)} |[/dim] {escape(line)}")

    def warn(self, text: str) -> None:
        """One warning."""
        self.console.print(f"[yellow]warning:[/yellow] {escape(spoken(text))}")

    def error(self, error: ModelstacksError) -> None:
        """An error with its place, reason and fix, each on a line."""
        for one in error.errors if isinstance(error, InputErrors) else [error]:
            place = f"{escape(one.where)}: " if one.where else ""
            self.console.print(f"[red]error:[/red] {place}{escape(one.problem)}")
            if one.why:
                self.console.print(f"  why: {escape(spoken(one.why))}")
            if one.fix:
                self.console.print(f"  fix: {escape(spoken(one.fix))}")

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """A table of text cells."""
        table = Table(title=title or None, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
        for number, column in enumerate(columns):
            table.add_column(column, overflow="fold", no_wrap=number == 0)
        for row in rows:
            table.add_row(*(escape(cell) for cell in row))
        self.console.print(table, soft_wrap=False)

    @contextmanager
    def transfer(self, what: str, total: int) -> Iterator[Transfer]:
        """Show bytes, rate and time left of a transfer of `total` bytes while the block runs."""
        transfer = Transfer(self, what, total)
        try:
            yield transfer
        finally:
            transfer.close()

    def document(self, value: dict[str, Any]) -> None:
        """Print the run's one JSON document, when JSON was asked for; only the first one counts."""
        if self.as_json and not self._spoken:
            self._spoken = True
            sys.stdout.write(json.dumps(value, indent=2, sort_keys=True) + "\n")
            sys.stdout.flush()
