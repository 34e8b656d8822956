"""Run a program whose time and output are bounded: one that hangs or floods keeps nobody waiting."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import IO, Literal

Ended = Literal["", "time", "size"]
Piece = tuple[str, bytes]  # the name of a stream and some of its bytes; none at its end
_CHUNK = 1 << 16


@dataclass(frozen=True, kw_only=True)
class Said:
    """How a program ended. code: None where it was stopped for its time. out, err: as far as they were read.

    ended: what it was stopped for, "" where it ended by itself.
    """

    code: int | None
    out: str
    err: str = ""
    ended: Ended = ""


def run(
    command: Sequence[str],
    *,
    seconds: float,
    limit: int,
    stdin: bytes = b"",
    env: Mapping[str, str] | None = None,
    folder: str | None = None,
    together: bool = False,
    group: bool = True,
) -> Said:
    """Run a program of this machine to its end, its time or its size. Raises OSError where it does not start.

    limit: bytes that are kept of each output. together: both outputs as `out`. group: with a process group of its
    own, which is stopped whole; without one it belongs to the caller's, and goes with it.
    """
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT if together else subprocess.PIPE,
        env=env,
        cwd=folder,
        start_new_session=group,
    )
    pieces: SimpleQueue[Piece] = SimpleQueue()
    streams = {name: one for name, one in (("out", process.stdout), ("err", process.stderr)) if one}
    until = time.monotonic() + seconds
    try:
        if process.stdin:
            threading.Thread(target=_feed, args=(process.stdin, stdin), daemon=True).start()
        for name, stream in streams.items():
            threading.Thread(target=_read, args=(name, stream, pieces), daemon=True).start()
        kept, ended = gather(pieces, streams, seconds, limit)
        if not ended:
            process.wait(max(until - time.monotonic(), 1))
    except subprocess.TimeoutExpired:
        ended = "time"
    finally:
        _stop(process, group)
    return said(None if ended == "time" else process.returncode, kept, ended)


def said(code: int | None, kept: Mapping[str, bytes], ended: Ended) -> Said:
    """A program's end, its bytes as text."""
    out, err = (kept.get(name, b"").decode("utf-8", "replace") for name in ("out", "err"))
    return Said(code=code, out=out, err=err, ended=ended)


def gather(
    pieces: SimpleQueue[Piece], streams: Mapping[str, object], seconds: float, limit: int
) -> tuple[dict[str, bytes], Ended]:
    """The bytes of streams that threads put into a queue, until all end, the time is over or one exceeds the limit."""
    kept, left = {name: bytearray() for name in streams}, set(streams)
    until = time.monotonic() + seconds
    ended: Ended = ""
    while left and not ended:
        try:
            name, data = pieces.get(timeout=max(until - time.monotonic(), 0))
        except Empty:
            ended = "time"
            continue
        kept[name] += data
        if not data:
            left.discard(name)
        elif len(kept[name]) > limit:
            del kept[name][limit:]
            ended = "size"
    return {name: bytes(data) for name, data in kept.items()}, ended


def printable(text: str) -> str:
    """A foreign text without control characters except line ends."""
    return re.sub(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", "?", text.replace("\r\n", "\n"))


def _feed(stream: IO[bytes], data: bytes) -> None:
    with contextlib.suppress(BrokenPipeError), stream:  # one that ended before it read says why on stderr
        stream.write(data)


def _read(name: str, stream: IO[bytes], pieces: SimpleQueue[Piece]) -> None:
    """Its thread holds nobody up, as what a program started may keep the stream open."""
    with contextlib.suppress(OSError, ValueError), stream:
        while data := os.read(stream.fileno(), _CHUNK):
            pieces.put((name, data))
    pieces.put((name, b""))


def _stop(process: subprocess.Popen[bytes], group: bool) -> None:
    """End it, and what it started; one that hangs inside the kernel is left to end when it can."""
    if process.returncode is None:  # once waited for, its number may be another's
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL) if group else process.kill()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(1)
