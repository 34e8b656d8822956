"""Work of several seconds, told while it runs and after it: what it is, how long it takes, and what came of it."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from builder.plain import plain

if TYPE_CHECKING:
    from rich.status import Status

    from builder.ui import Ui

LONG = 2.0  # seconds; whoever waits longer wants to know for what, and what became of it
_AGAIN = 30.0  # seconds between two lines off a terminal


class Work:
    """One piece of work, as a context manager. On a terminal its seconds count; elsewhere a line every half minute.

    done: what came of it, for the line that is left standing where it took LONG or more.
    """

    _shown = threading.Lock()  # a terminal has one such line at a time

    def __init__(self, ui: Ui, what: str) -> None:
        self._ui, self._what = ui, what
        self.done = ""
        self._doing = ""
        self._ended = threading.Event()
        self._status: Status | None = None
        self._thread: threading.Thread | None = None

    def doing(self, words: str) -> None:
        """What of it is done now."""
        self._doing = words

    def __enter__(self) -> Work:
        self._began = time.monotonic()
        self._ui.step(self._what)
        console = self._ui.console
        if console.is_terminal and self._shown.acquire(blocking=False):
            from rich.status import Status  # noqa: PLC0415 - of a terminal alone

            self._status = Status("", console=console)
            self._status.start()
        self._thread = threading.Thread(target=self._count, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._ended.set()
        if self._status:
            with suppress(Exception):  # a screen that is gone is told by the next line
                self._status.stop()
            self._shown.release()
        took = time.monotonic() - self._began
        if kind is None and took >= LONG:
            self._ui.say(f"    {self.done or 'done'} ({took:.1f} s)")

    def _count(self) -> None:
        from rich.markup import escape  # noqa: PLC0415 - as above

        said = self._began
        while not self._ended.wait(0.25):
            now = time.monotonic()
            doing = f", {plain(self._doing)}" if self._doing else ""
            if self._status:
                self._status.update(escape(f"{now - self._began:.0f} s{doing}"))
            elif now - said >= _AGAIN:
                said = now
                self._ui.say(f"    {now - self._began:.0f} s{doing}")
