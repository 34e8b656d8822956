"""One file over HTTP: resumed where it stopped, hashed as it flows, never longer than locked."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

from builder.errors import JobError
from builder.fetch.foreign import HEAD, advice, foreign
from builder.fetch.shelf import Shelf
from builder.files import open_own
from builder.net import Stopped
from builder.net.session import Body, Cut, clean_url

_PIECE = 1 << 20
_IDLE_TRIES = 4  # tries in a row that bring the file no further


class _Foreign(Exception):
    """What came is something else altogether; the text says what."""


class _Wrong(Exception):
    """The server has other bytes; the text says which."""


class Streams(Protocol):
    """What bytes come from: a Session, or what signs in to a registry first."""

    stopping: threading.Event

    def stream(self, url: str, start: int = 0) -> AbstractContextManager[Body]:
        """As Session.stream."""

    def pause(self, attempt: int, retry_after: str = "") -> None:
        """As Session.pause."""


def download(shelf: Shelf, url: str, session: Streams, advance: Callable[[int], None]) -> str:
    """Bring the bytes at url to shelf.part, with the locked size and sha256, synced; gives their sha256.

    advance: told how many bytes more (or fewer, when starting again) are there. Wrong bytes are
    removed and fetched once more from nothing. A pending file is held to its size alone. Raises JobError
    when they are wrong again, are a web page or a Git LFS pointer, or end early each time, Stopped when
    told to stop (the part stays), and what Session raises.
    """
    for attempt in range(2):
        try:
            return _Part(shelf, url, session, advance).complete()
        except _Foreign as error:
            advance(-shelf.partial())
            shelf.part.unlink()
            raise JobError(
                f"the server sent {error} and not {shelf.artifact.project or shelf.artifact.filename}",
                where=clean_url(url),
                fix=advice(str(error)),
            ) from None
        except _Wrong as wrong:
            advance(-shelf.partial())
            shelf.part.unlink()
            if attempt:
                raise JobError(
                    f"{shelf.artifact.filename} from this address is not the locked file",
                    where=clean_url(url),
                    why=f"expected sha256 {shelf.artifact.sha256 or '(pending)'}, {wrong}",
                    fix="use another mirror, or find out why the file changed and run `make lock`",
                ) from None
    raise AssertionError("the loop above returns or raises")


class _Part:
    """A partial file being filled."""

    def __init__(self, shelf: Shelf, url: str, session: Streams, advance: Callable[[int], None]) -> None:
        self._artifact, self._url, self._session, self._advance = shelf.artifact, url, session, advance
        self._stream = open_own(shelf.part)
        self._digest = hashlib.sha256()
        self._have = self._unsaid = 0
        self._start = b""

    def complete(self) -> str:
        with self._stream:
            self._take_stock()
            best, idle, reason = self._have, 0, "the connection is closed"
            while self._have < self._artifact.size:
                try:
                    self._read_on()
                except Cut as cut:
                    reason = str(cut)
                finally:
                    self._tell()
                idle = 0 if self._have > best else idle + 1
                best = max(best, self._have)
                if idle == _IDLE_TRIES:
                    raise self._ends_early(reason)
                if self._have < self._artifact.size:
                    self._session.pause(max(idle - 1, 0))
            seen = self._digest.hexdigest()
            if seen != self._artifact.sha256:
                self._refuse_foreign(self._start)
                if not self._artifact.pending:
                    raise _Wrong(f"seen {seen}")
            os.fsync(self._stream.fileno())
            return seen

    def _refuse_foreign(self, start: bytes) -> None:
        if what := foreign(start, self._artifact.project or self._artifact.filename):
            raise _Foreign(what)

    def _take_stock(self) -> None:
        """Hash what is there already."""
        if os.fstat(self._stream.fileno()).st_size > self._artifact.size:
            self._stream.truncate(0)
        self._stream.seek(0)
        while piece := self._stream.read(_PIECE):
            if self._session.stopping.is_set():
                raise Stopped
            self._note(piece)

    def _read_on(self) -> None:
        with self._session.stream(self._url, self._have) as body:
            if body.offset != self._have:  # the server does not honour ranges
                self._restart()
            total = self._artifact.size if body.length is None else body.offset + body.length
            if total > self._artifact.size:
                if body.offset == 0:
                    self._refuse_foreign(next(iter(body.chunks), b""))
                raise _Wrong(f"and {self._artifact.size} bytes, but the server has {total}")
            for piece in body.chunks:
                if self._have == 0 and total < self._artifact.size:
                    self._refuse_foreign(piece)
                if self._have + len(piece) > self._artifact.size:
                    raise _Wrong(f"and {self._artifact.size} bytes, but the server sends more")
                self._write(piece)

    def _write(self, piece: bytes) -> None:
        rest = memoryview(piece)
        while rest:  # an unbuffered write may take less than all
            rest = rest[self._stream.write(rest) :]
        self._note(piece)

    def _note(self, piece: bytes) -> None:
        if self._have < HEAD:
            self._start = (self._start[: self._have] + piece)[:HEAD]
        self._digest.update(piece)
        self._have += len(piece)
        self._unsaid += len(piece)
        if self._unsaid >= _PIECE:
            self._tell()

    def _tell(self) -> None:
        self._advance(self._unsaid)
        self._unsaid = 0

    def _restart(self) -> None:
        self._stream.truncate(0)
        self._unsaid -= self._have
        self._have, self._digest = 0, hashlib.sha256()

    def _ends_early(self, reason: str) -> JobError:
        return JobError(
            f"{self._artifact.filename} ends at {self._have} of {self._artifact.size} bytes each time",
            where=clean_url(self._url),
            why=reason,
            fix="run again later, or name another mirror",
        )
