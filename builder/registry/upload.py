"""Blobs on their way to a registry: skipped where they are, mounted from a neighbour, else sent in resumable pieces."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

import requests

from builder.errors import JobError, Unreachable
from builder.registry.client import Connection
from builder.registry.descriptor import Descriptor
from builder.registry.repository import Repository

Outcome = Literal["there", "mounted", "sent"]
CHUNK = 32 << 20  # bytes of one PATCH: what is lost when a connection breaks
_TRIES = 6  # beginnings of one upload, and failures in a row of one of its pieces
_PASSING = {408, 425, 429, 500, 502, 503, 504}
_LOST = {400, 404, 409, 416}  # the upload is not there any more, or stands elsewhere than is thought


class _Lost(Exception):
    """An upload has to begin anew. The words say why."""


@dataclass(frozen=True)
class Pushed:
    """What became of a blob. sent: bytes that went over the wire for it, what was sent twice too."""

    blob: Descriptor
    outcome: Outcome
    sent: int


def push(repository: Repository, blob: Descriptor, data: Path | bytes, neighbours: tuple[str, ...] = ()) -> Pushed:
    """Have a blob in a repository. neighbours: repositories of the same registry that may have it already.

    Raises JobError where the registry does not take it, SurroundingsError where it cannot be reached.
    """
    if repository.has(blob):
        return Pushed(blob, "there", 0)
    for neighbour in neighbours:
        if neighbour != repository.name and _mounted(repository, blob, neighbour):
            return Pushed(blob, "mounted", 0)
    why, sent = "", 0
    for attempt in range(_TRIES):
        upload = _Upload(repository, blob, _start(repository))
        try:
            upload.run(data)
            return Pushed(blob, "sent", sent + upload.sent)
        except _Lost as error:
            why, sent = str(error), sent + upload.sent
            repository.connection.pause(attempt)
    fix = "look at the registry's log and its disk, then run it again: what is there is not sent again"
    raise JobError(f"the registry does not take the blob {blob.digest}", where=repository.address, why=why, fix=fix)


def _mounted(repository: Repository, blob: Descriptor, neighbour: str) -> bool:
    path = f"{repository.name}/blobs/uploads/?mount={blob.digest}&from={neighbour}"
    scope = f"{repository.scope} repository:{neighbour}:pull"
    refused = {400, 401, 403, 404, 405}
    with repository.connection.send("POST", path, scope=scope, accepted=refused, headers=_EMPTY) as answer:
        status, place = answer.status_code, answer.headers.get("Location", "")
    if status == 202 and place:  # it has begun an upload instead
        repository.connection.send("DELETE", place, scope=repository.scope, accepted=set(range(400, 600))).close()
    return status == 201


_EMPTY = {"Content-Length": "0"}


def _start(repository: Repository) -> str:
    path = f"{repository.name}/blobs/uploads/"
    with repository.connection.send("POST", path, scope=repository.scope, headers=_EMPTY) as answer:
        place = answer.headers.get("Location", "")
    if not place:
        raise JobError("the registry names no place for an upload", where=repository.address)
    return place


class _Upload:
    """One upload, piece by piece. sent: bytes that went over the wire."""

    def __init__(self, repository: Repository, blob: Descriptor, place: str) -> None:
        self._repository, self._blob, self._place, self.sent = repository, blob, place, 0

    @property
    def _connection(self) -> Connection:
        return self._repository.connection

    def run(self, data: Path | bytes) -> None:
        if isinstance(data, bytes):
            self._pieces(lambda start: data[start : start + CHUNK])
        else:
            with data.open("rb") as stream:
                self._pieces(lambda start: _part(stream, start))
        self._finish()

    def _pieces(self, part: Callable[[int], bytes]) -> None:
        position, failed = 0, 0
        while position < self._blob.size:
            piece = part(position)
            if not piece:
                raise JobError(f"{self._blob.digest} became shorter while it was sent", where=self._repository.address)
            self.sent += len(piece)
            done = self._patch(piece, position)
            if done is None:
                position, failed = position + len(piece), 0
                continue
            failed += 1
            if failed >= _TRIES:
                raise _Lost(done)
            self._connection.pause(failed)
            position = self._standing(done)

    def _patch(self, piece: bytes, position: int) -> str | None:
        """Send a piece. Gives None where it was taken, else why not."""
        headers = {
            "Content-Type": "application/octet-stream",
            "Content-Range": f"{position}-{position + len(piece) - 1}",
        }
        try:
            with self._send("PATCH", self._place, headers, piece, _PASSING | _LOST) as answer:
                if answer.status_code < 400:
                    self._place = answer.headers.get("Location") or self._place
                    return None
                if answer.status_code in _LOST:
                    raise _Lost(f"it answers {answer.status_code} to a piece at {position}")
                return f"it answers {answer.status_code} to a piece at {position}"
        except Unreachable as error:
            return f"{error.problem} at {position}"

    def _standing(self, why: str) -> int:
        """How much of the upload the registry has."""
        try:
            with self._send("GET", self._place, {}, None, _PASSING | _LOST) as answer:
                self._place = answer.headers.get("Location") or self._place
                found = re.fullmatch(r"(?:bytes=)?0-(\d+)", answer.headers.get("Range", ""))
                status = answer.status_code
        except Unreachable as error:
            raise _Lost(error.problem) from None
        if status >= 400 or found is None:
            raise _Lost(why)
        # An empty upload is told as 0-0; one byte cannot be told from it, and is sent again.
        last = int(found[1])
        return last + 1 if last else 0

    def _finish(self) -> None:
        place = f"{self._place}{'&' if '?' in self._place else '?'}digest={self._blob.digest}"
        with self._send("PUT", place, _EMPTY, None, _LOST, tries=_TRIES) as answer:
            status = answer.status_code
        if status >= 400 and not self._repository.has(self._blob):
            raise _Lost(f"it answers {status} at the end of the upload")

    def _send(
        self,
        method: str,
        place: str,
        headers: Mapping[str, str],
        body: bytes | None,
        accepted: set[int],
        tries: int = 1,
    ) -> requests.Response:
        return self._connection.send(
            method, place, scope=self._repository.scope, headers=headers, body=body, accepted=accepted, tries=tries
        )


def _part(stream: BinaryIO, start: int) -> bytes:
    stream.seek(start)
    return stream.read(CHUNK)
