"""A log of a build, an install or a run: the known failures it shows, each with cause and fix."""

from __future__ import annotations

import errno
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from builder.errors import InputError
from builder.failures import Reading, recognise_stream
from builder.failures.text import Format, markdown, plain
from builder.ui import Ui

_WIDEST = 100  # columns that are used of a wide terminal


@dataclass(frozen=True)
class LogReport:
    """name: the log's path, or "standard input". reading: what was found in it."""

    name: str
    reading: Reading

    def document(self) -> dict[str, Any]:
        """For --json."""
        reading = self.reading
        return {
            "log": self.name,
            "lines": reading.lines,
            "bytes": reading.bytes,
            "failures": [match.document() for match in reading.matches],
            "ending": reading.ending.document(),
        }

    def text(self, form: Format) -> str:
        """The failures, or plainly that none is known, and what can be said all the same."""
        if form == "markdown":
            return markdown(self.name, self.reading)
        return plain(self.name, self.reading, min(shutil.get_terminal_size((80, 24)).columns, _WIDEST))


def examine_log(path: str, ui: Ui) -> LogReport:
    """Read a log to its end. path: a file, or "-" for standard input. Raises InputError where it cannot be read."""
    if path == "-":
        return LogReport("standard input", recognise_stream(sys.stdin.buffer))
    try:
        if Path(path).is_block_device() or (Path(path).is_char_device() and not Path(path).samefile("/dev/stdin")):
            raise OSError(errno.EINVAL, "it is a device, and may have no end")
        with Path(path).open("rb") as stream, ui.transfer("reading", Path(path).stat().st_size) as bar:
            return LogReport(path, recognise_stream(stream, read=bar.advance))
    except OSError as error:
        raise InputError(
            "the log cannot be read", where=path, why=error.strerror or "", fix="name a file that can be read, or -"
        ) from None
