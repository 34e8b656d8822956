"""Run a small program whose time and output are bounded: one that hangs or floods keeps nobody waiting."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass

_LIMIT = 64 * 1024  # bytes; nvidia-smi says some 60 per GPU


@dataclass(frozen=True, kw_only=True)
class Said:
    """How a program ended. code: None where it was stopped for its time. text: both outputs, without control codes."""

    code: int | None
    text: str


def run(command: Sequence[str], seconds: float) -> Said | None:
    """Run a program to its end; None where there is no such program.

    seconds: after which it is stopped. Of what it says the first 64 KiB are kept, and it is stopped there too.
    """
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, "LC_ALL": "C"},
            start_new_session=True,
        )
    except OSError:
        return None
    deadline = time.monotonic() + seconds
    try:
        text = _read(process, deadline)
        process.wait(max(deadline - time.monotonic(), 0.1))
        code: int | None = process.returncode
    except subprocess.TimeoutExpired:
        code, text = None, b""
    finally:
        _stop(process)
    return Said(code=code, text=printable(text.decode(errors="replace")))


def printable(text: str) -> str:
    """A foreign text without control characters except line ends."""
    return re.sub(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", "?", text.replace("\r\n", "\n"))


def _read(process: subprocess.Popen[bytes], deadline: float) -> bytes:
    assert process.stdout is not None  # noqa: S101
    text = b""
    while len(text) < _LIMIT:
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([process.stdout], [], [], left)[0]:
            raise subprocess.TimeoutExpired(process.args, 0)
        if not (piece := os.read(process.stdout.fileno(), 8192)):
            return text
        text += piece
    _kill(process)
    return text[:_LIMIT]


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End it and what it started; one that hangs inside the kernel is left to end when it can."""
    if process.returncode is None:  # once waited for, its number may be another's
        _kill(process)
    if process.stdout is not None:
        process.stdout.close()
    try:
        process.wait(1)
    except subprocess.TimeoutExpired:
        return


def _kill(process: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return
