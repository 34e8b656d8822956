"""What several runs do at once: a table that is kept up to date on a terminal, lines elsewhere."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from builder.plain import plain

if TYPE_CHECKING:
    from rich.live import Live
    from rich.table import Table

    from builder.ui import Ui


class Board:
    """Rows by name, as a context manager; any thread may speak for its row."""

    def __init__(self, ui: Ui, names: Sequence[str]) -> None:
        self._ui, self._lock = ui, threading.Lock()
        self._rows = dict.fromkeys(names, ("waits", ""))
        self._began: dict[str, float] = {}
        self._took: dict[str, float] = {}
        self._live: Live | None = None

    def __enter__(self) -> Board:
        if self._ui.console.is_terminal:
            from rich.live import Live  # noqa: PLC0415 - of a terminal alone

            self._live = Live(get_renderable=self._table, console=self._ui.console, transient=True)
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    def say(self, name: str, words: str) -> None:
        """What a row does now."""
        with self._lock:
            self._began.setdefault(name, time.monotonic())
            self._rows[name] = ("runs", words)
            if not self._live:
                self._ui.sub(name, words)

    def end(self, name: str, state: str) -> None:
        """What became of a row."""
        with self._lock:
            self._took[name] = time.monotonic() - self._began.setdefault(name, time.monotonic())
            self._rows[name] = (state, "")
            if not self._live:
                self._ui.sub(name, state)

    def _table(self) -> Table:
        from rich.box import SIMPLE_HEAD  # noqa: PLC0415 - of a terminal alone
        from rich.markup import escape  # noqa: PLC0415
        from rich.table import Table  # noqa: PLC0415

        table = Table("stack", "", "seconds", "does", box=SIMPLE_HEAD, pad_edge=False)
        for name, (state, words) in list(self._rows.items()):
            began = self._began.get(name)
            seconds = self._took.get(name, time.monotonic() - began if began else 0.0)
            table.add_row(escape(name), state, f"{seconds:.0f}", escape(plain(words)[:80]))
        return table
