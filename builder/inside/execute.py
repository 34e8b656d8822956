"""Run a program in a running container by the docker SDK, bounded like any other."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Mapping, Sequence
from queue import SimpleQueue
from typing import IO, TYPE_CHECKING, Any

from builder.engine.endpoint import words
from builder.inside.bounded import Piece, Said, gather, said

if TYPE_CHECKING:
    from docker import APIClient, DockerClient

_STREAMS = {1: "out", 2: "err"}  # as the engine numbers them
_CHUNK = 1 << 16
_GONE = 137  # the code of a program whose container was removed under it


def run(
    client: DockerClient,
    container: str,
    command: Sequence[str],
    *,
    seconds: float,
    limit: int,
    stdin: bytes = b"",
    env: Mapping[str, str],
    user: str = "",
) -> Said:
    """Run a program as a user ("": the container's own) in the folder /, without a shell or a terminal.

    stdin reaches the program and never ends, as a TLS connection has no end of its own for one direction. One that
    is stopped runs on inside: nobody can end it from here but by its container. What the engine refuses has code 1.
    """
    from docker.errors import DockerException, NotFound  # noqa: PLC0415 - 0.1 s
    from requests import RequestException  # noqa: PLC0415 - comes with it

    until = time.monotonic() + seconds
    try:
        asked: dict[str, Any] = {"stdin": bool(stdin), "environment": dict(env), "workdir": "/", "user": user}
        made = client.api.exec_create(container, list(command), **asked)["Id"]
        with _Attached(client.api, made) as attached:
            attached.send(stdin)
            kept, ended = gather(attached.pieces, dict.fromkeys(_STREAMS.values()), seconds, limit)
        if ended:
            return said(None if ended == "time" else -1, kept, ended)
        return said(_code(client.api, made, until), kept, "")
    except NotFound as error:
        return Said(code=_GONE, out="", err=words(error))
    except (DockerException, RequestException, OSError) as error:
        return Said(code=1, out="", err=words(error))


def _code(api: APIClient, made: str, until: float) -> int:
    """The exit code, which the engine knows some moments after the outputs have ended."""
    while (found := api.exec_inspect(made))["Running"] and time.monotonic() < until + 1:
        time.sleep(0.01)
    code = found["ExitCode"]
    return -1 if code is None else int(code)


class _Attached:
    """A started program's connection: what it is sent, and its outputs as pieces by a thread."""

    def __init__(self, api: APIClient, made: str) -> None:
        connection: Any = api.exec_start(made, socket=True)
        self._response = connection._response
        # The SDK gives the bare connection; what came together with the answer's head lies in the reader above it.
        self._reader: Any = self._response.raw._fp.fp
        self._peer: socket.socket = self._reader.raw._sock
        self._peer.settimeout(None)  # the SDK's limit for an answer is none for a program
        self.pieces: SimpleQueue[Piece] = SimpleQueue()
        self._thread = threading.Thread(target=_frames, args=(self._reader, self.pieces), daemon=True)

    def send(self, data: bytes) -> None:
        """All of it, before anything is read: scripts are smaller than what a connection holds on its way."""
        if data:
            self._peer.sendall(data)
        self._thread.start()

    def __enter__(self) -> _Attached:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._peer.shutdown(socket.SHUT_RDWR)  # wakes the thread, which alone may hold the reader
        if self._thread.ident:
            self._thread.join(1)
        if not self._thread.is_alive():
            self._response.close()


def _frames(reader: IO[bytes], pieces: SimpleQueue[Piece]) -> None:
    """The engine's frames: stream, three zeros, length, bytes."""
    with contextlib.suppress(OSError, ValueError):
        while len(head := reader.read(8)) == 8:
            number, left = struct.unpack(">BxxxL", head)
            while left and (data := reader.read(min(left, _CHUNK))):
                left -= len(data)
                pieces.put((_STREAMS.get(number, "out"), data))
    for name in _STREAMS.values():
        pieces.put((name, b""))
