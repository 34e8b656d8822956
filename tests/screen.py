"""A terminal for tests: what a program shows on one of so many columns."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.conftest import REPO

_STYLE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@dataclass(frozen=True)
class Shown:
    """code: the exit code. out: what standard output, a terminal, was sent, without styles. err: standard error."""

    code: int
    out: str
    err: str


def on_terminal(
    *words: str,
    columns: int,
    program: Sequence[str] = (sys.executable, "-m", "builder"),
    env: Mapping[str, str] = {},
    talk: bool = False,
) -> Shown:
    """Run a program whose standard output is a terminal of so many columns and 30 lines. talk: standard error too."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 30, columns, 0, 0))
    given = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "NO_COLOR")}
    parts: list[bytes] = []

    def read() -> None:
        try:
            while part := os.read(ours, 1 << 16):
                parts.append(part)
        except OSError:  # the last process that could write is gone
            return

    with subprocess.Popen(
        [*program, *words], cwd=REPO, env={**given, **env}, stdin=subprocess.DEVNULL, stdout=theirs,
        stderr=theirs if talk else subprocess.PIPE, text=True,
    ) as run:  # fmt: skip
        os.close(theirs)
        reader = threading.Thread(target=read)
        reader.start()
        err = run.stderr.read() if run.stderr else ""
        run.wait(600)
    reader.join()
    os.close(ours)
    return Shown(run.returncode, _STYLE.sub("", b"".join(parts).decode()).replace("\r\n", "\n"), err)
