"""One file over HTTP: resumed where it stopped, hashed as it flows, never longer than locked."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable

from builder.errors import JobError
from builder.fetch.shelf import Shelf
from builder.net import Stopped
from builder.net.session import Cut, Session, clean_url

_PIECE = 1 << 20
_IDLE_TRIES = 4  # tries in a row that bring the file no further


class _Wrong(Exception):
    """The server has other bytes; the text says which."""


def download(shelf: Shelf, url: str, session: Session, advance: Callable[[int], None]) -> None:
    """Bring the bytes at url to shelf.part, with the locked size and sha256, synced.

    advance: told how many bytes more (or fewer, when starting again) are there. Wrong bytes are
    removed and fetched once more from nothing. Raises JobError when they are wrong again or the file
    ends early each time, Stopped when told to stop (the part stays), and what Session raises.
    """
    for attempt in range(2):
        try:
            _Part(shelf, url, session, advance).complete()
            return
        except _Wrong as wrong:
            advance(-shelf.partial())
            shelf.part.unlink()
            if attempt:
                raise JobError(
                    f"{shelf.artifact.filename} from this address is not the locked file",
                    where=clean_url(url),
                    why=f"expected sha256 {shelf.artifact.sha256}, {wrong}",
                    fix="use another mirror, or find out why the file changed and run `make lock`",
                ) from None


class _Part:
    """A partial file being filled."""

    def __init__(self, shelf: Shelf, url: str, session: Session, advance: Callable[[int], None]) -> None:
        self._artifact, self._url, self._session, self._advance = shelf.artifact, url, session, advance
        self._stream = shelf.part.open("a+b", buffering=0)
        self._digest = hashlib.sha256()
        self._have = self._unsaid = 0

    def complete(self) -> None:
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
            if (seen := self._digest.hexdigest()) != self._artifact.sha256:
                raise _Wrong(f"seen {seen}")
            os.fsync(self._stream.fileno())

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
            if body.length is not None and body.offset + body.length > self._artifact.size:
                raise _Wrong(f"and {self._artifact.size} bytes, but the server has {body.offset + body.length}")
            for piece in body.chunks:
                if self._have + len(piece) > self._artifact.size:
                    raise _Wrong(f"and {self._artifact.size} bytes, but the server sends more")
                self._write(piece)

    def _write(self, piece: bytes) -> None:
        rest = memoryview(piece)
        while rest:  # an unbuffered write may take less than all
            rest = rest[self._stream.write(rest) :]
        self._note(piece)

    def _note(self, piece: bytes) -> None:
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
