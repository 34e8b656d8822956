"""A log of a build, an install or a run: the known failures it shows, each with cause and fix."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from builder.errors import InputError
from builder.failures import Reading, recognise_stream
from builder.failures.show import show
from builder.ui import Ui


@dataclass(frozen=True)
class LogReport:
    """name: the log's path, or "standard input". reading: what was found in it."""

    name: str
    reading: Reading

    def document(self) -> dict[str, Any]:
        """For --json."""
        failures = [match.document() for match in self.reading.matches]
        return {"log": self.name, "lines": self.reading.lines, "bytes": self.reading.bytes, "failures": failures}

    def show(self, ui: Ui) -> None:
        """The failures, or plainly that none is known."""
        if self.reading.matches:
            show(f"known failures in {self.name}", self.reading.matches, ui)
        else:
            ui.say(f"no known failure in the {self.reading.lines} lines of {self.name}")


def examine_log(path: str, ui: Ui) -> LogReport:
    """Read a log to its end. path: a file, or "-" for standard input. Raises InputError where it cannot be read."""
    if path == "-":
        return LogReport("standard input", recognise_stream(sys.stdin.buffer))
    try:
        with Path(path).open("rb") as stream, ui.transfer("reading", Path(path).stat().st_size) as bar:
            return LogReport(path, recognise_stream(stream, read=bar.advance))
    except OSError as error:
        raise InputError(
            "the log cannot be read", where=path, why=error.strerror or "", fix="name a file that can be read, or -"
        ) from None
