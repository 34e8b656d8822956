"""HTTP as this project speaks it: TLS verified, time-outs, retries, and errors that say what to do."""

from __future__ import annotations

import random
import re
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

import requests
import urllib3.exceptions

from builder.errors import InputError, JobError, ModelstacksError, SurroundingsError
from builder.net import Stopped
from builder.net.client import Client, Unverified
from builder.net.failures import is_untrusted, may_pass, reason, refused, unreachable
from builder.net.headers import decoded, first_byte, seconds, whole
from builder.net.tls import trust
from builder.net.urls import clean_url, quoted
from builder.settings import Settings

__all__ = ["Body", "Cut", "Session", "clean_url", "quoted"]

_TRIES, _TRIES_BEFORE_NEXT = 5, 2  # the second: of a mirror after which there is another
_RETRY_AFTER_CAP = 120.0
_PIECE = 1 << 18  # bytes; with 16 kB, what one TLS record holds, several threads get half as far
_TRANSIENT = {408, 425, 429, 500, 502, 503, 504}
_NO_HEAD = {403, 405, 501}
_Headers = Mapping[str, str]


class Cut(Exception):
    """A body ended early or stalled; what came before it is good and can be resumed."""


@dataclass(frozen=True)
class Body:
    """A body being read. offset: where in the file it begins. length: bytes to come, None if not said."""

    offset: int
    length: int | None
    chunks: Iterator[bytes]


@dataclass(frozen=True)
class _Ask:
    """One request, without its address. accepted: statuses of 400 and more that are answers too."""

    method: str
    headers: Mapping[str, str]
    accepted: frozenset[int]
    body: bytes | None


class Session:
    """One run's HTTP client; may be used from any thread.

    settings: gives trust, mirrors, logins and time-outs. stopping: when set, waits and reads end with
    Stopped. locked: whether all that is asked of it is a file whose sha256 and size are locked, or a page
    that only leads to such files; only then does TLS=hash-locked hold. warn: told of mirrors passed
    over, certificates left out and servers not verified. As a context manager it closes its connections.
    Every method raises SurroundingsError where the server cannot be reached or trusted, JobError where
    it refuses, InputError for an address that is not http(s); `where` is the URL without credentials.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        stopping: threading.Event | None = None,
        locked: bool = False,
        warn: Callable[[str], None] | None = None,
    ) -> None:
        trusted = trust(settings)
        self.ca_bundle = trusted.path
        self.stopping = stopping or threading.Event()
        self._settings, self._warn = settings, warn or (lambda _: None)
        self._hash_locked = locked and settings.tls == "hash-locked"
        self._local = threading.local()
        self._open_bodies: set[requests.Response] = set()
        self._clients: list[Client | Unverified] = []
        self._said: set[str] = set()
        self._down: set[str] = set()
        self._unverified: set[str] = set()
        self._served: dict[str, str] = {}
        for text in trusted.warnings:
            self._warn(text)

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections that all threads left open."""
        for client in self._clients:
            client.close()

    def stop(self) -> None:
        """End waits and reads of all threads with Stopped, those blocked in a read too; for good."""
        self.stopping.set()
        for response in list(self._open_bodies):
            with suppress(OSError, RuntimeError, ValueError):
                response.raw.shutdown()

    def get_text(self, url: str, accept: str) -> tuple[str, str, str]:
        """A page as (text, its Content-Type in lower case or "", the address after redirects)."""
        response, data = self.read("GET", url, {"Accept": accept})
        charset = response.encoding if "charset" in response.headers.get("Content-Type", "") else None
        kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        return decoded(data, charset), kind, response.url

    def read(
        self, method: str, url: str, headers: _Headers, *, body: bytes | None = None, accepted: Collection[int] = ()
    ) -> tuple[requests.Response, bytes]:
        """An answer as `open` gives it, and its body, which has to be short; asked again where that breaks off."""
        for attempt in range(_TRIES):
            response = self.open(method, url, headers, body=body, accepted=accepted)
            try:
                return response, whole(response, url)
            except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
                if attempt + 1 == _TRIES:
                    raise unreachable(self.served(url), error, self._settings) from None
                self.pause(attempt)
            finally:
                response.close()
        raise AssertionError("the loop above returns or raises")

    def size_of(self, url: str) -> int:
        """The size in bytes of the file at url, by HEAD, or by a GET of its first byte where HEAD does not tell."""
        plain = {"Accept-Encoding": "identity"}
        with self.open("HEAD", url, plain, accepted=_NO_HEAD) as head:
            length = head.headers.get("Content-Length", "")
            if head.status_code == 200 and length.isdecimal():
                return int(length)
        with self.open("GET", url, {**plain, "Range": "bytes=0-0"}, accepted={416}) as response:
            length = response.headers.get("Content-Length", "")
            if response.status_code != 200:
                length = response.headers.get("Content-Range", "").rpartition("/")[2]
            if length.isdecimal():
                return int(length)
        raise JobError("the server does not tell the size of the file", where=clean_url(url))

    @contextmanager
    def stream(
        self, url: str, start: int = 0, stop: int | None = None, *, headers: Mapping[str, str] | None = None
    ) -> Iterator[Body]:
        """Read the bytes start..stop (stop not included, None for the end) of the file at url.

        headers: more to send. Where the server does not honour the range, the body's offset is 0 and it
        holds the whole file. Its chunks raise Cut when the connection breaks, stalls or ends short.
        """
        plain = {**(headers or {}), "Accept-Encoding": "identity"}
        headers = dict(plain)
        if start or stop is not None:
            headers["Range"] = f"bytes={start}-{'' if stop is None else stop - 1}"
        response = self.open("GET", url, headers, accepted={416})
        if response.status_code == 416 or (response.status_code == 206 and first_byte(response) != start):
            response.close()
            response = self.open("GET", url, plain)
        length = response.headers.get("Content-Length", "")
        offset = start if response.status_code == 206 else 0
        self._open_bodies.add(response)
        try:
            if self.stopping.is_set():  # stop() may have come before this body was known to it
                raise Stopped
            yield Body(offset, int(length) if length.isdecimal() else None, self._chunks(response))
        finally:
            self._open_bodies.discard(response)
            response.close()

    def _chunks(self, response: requests.Response) -> Iterator[bytes]:
        try:
            while piece := response.raw.read(_PIECE, decode_content=False):
                if self.stopping.is_set():
                    raise Stopped
                yield piece
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:  # ValueError: shut down by stop()
            if self.stopping.is_set():
                raise Stopped from None
            raise Cut(reason(error, self._settings)) from None

    def served(self, url: str) -> str:
        """The address that last answered for url: a mirror's, or url itself."""
        return self._served.get(url, url)

    def open(
        self, method: str, url: str, headers: _Headers, *, body: bytes | None = None, accepted: Collection[int] = ()
    ) -> requests.Response:
        """The answer of the first mirror that gives one, its body still to be read, to be closed by who asks.

        accepted: bad statuses that are good.
        """
        if not re.match(r"https?://[^/]", url):
            raise InputError("not an http(s) address", where=clean_url(url), fix="write https://HOST/PATH")
        addresses = sorted(self._settings.mirrored(url), key=lambda item: _netloc(item) in self._down)
        ask = _Ask(method, headers, frozenset(accepted), body)
        passed: list[ModelstacksError] = []
        for address in addresses[:-1]:
            try:
                response = self._tried(ask, address, tries=_TRIES_BEFORE_NEXT)
            except (JobError, SurroundingsError) as error:
                passed.append(error)
                self._pass_over(address, error)
            else:
                self._served[url] = address
                return response
        self._served[url] = addresses[-1]
        try:
            return self._tried(ask, addresses[-1], tries=_TRIES)
        except (JobError, SurroundingsError) as error:
            if passed:
                error.why = "; before it, ".join(
                    [error.why or "it is the last mirror", *(_brief(one) for one in passed)]
                )
            raise

    def _pass_over(self, address: str, error: ModelstacksError) -> None:
        if isinstance(error, SurroundingsError):
            self._down.add(_netloc(address))
        self._say_once(f"{_netloc(address)}: {error.problem}; the next mirror is used")

    def _say_once(self, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            self._warn(text)

    def _tried(self, ask: _Ask, url: str, *, tries: int) -> requests.Response:
        """Send a request to one address, again while it fails in a way that may pass."""
        timeout = (self._settings.connect_timeout, self._settings.read_timeout)
        attempt = 0
        while True:
            last = attempt + 1 == tries
            client = self._client(url)
            try:
                response: requests.Response = client.fetch(ask.method, url, ask.headers, timeout, ask.body)
            except requests.RequestException as error:
                if isinstance(client, Client) and self._goes_unverified(url, error):
                    continue
                if last or not may_pass(error):
                    raise unreachable(url, error, self._settings) from None
                self.pause(attempt)
            else:
                if response.status_code < 400 or response.status_code in ask.accepted:
                    return response
                response.close()
                if last or response.status_code not in _TRANSIENT:
                    raise refused(url, response, self._settings)
                self.pause(attempt, response.headers.get("Retry-After", ""))
            attempt += 1

    def _goes_unverified(self, url: str, error: requests.RequestException) -> bool:
        """Whether the address may be asked again without verifying its certificate; from then on it is."""
        if not self._hash_locked or not is_untrusted(error):
            return False
        self._unverified.add(_netloc(url))
        said = f"{_netloc(url)} is not trusted ({reason(error, self._settings)})"
        self._say_once(f"TLS=hash-locked: {said}; its files are held to the locked sha256, no credential is sent")
        return True

    def _client(self, url: str) -> Client | Unverified:
        """This thread's client for an address."""
        kind = "unverified" if _netloc(url) in self._unverified else "verified"
        client: Client | Unverified | None = getattr(self._local, kind, None)
        if client is None:
            client = Unverified() if kind == "unverified" else Client(self._settings, str(self.ca_bundle))
            setattr(self._local, kind, client)
            self._clients.append(client)
        return client

    def pause(self, attempt: int, retry_after: str = "") -> None:
        """Wait before try attempt+2: as long as the server asked (120 s at most), else longer each time.

        retry_after: the header's value, "" for none. Raises Stopped when told to stop.
        """
        asked = seconds(retry_after)
        wait = asked if asked is not None else 0.5 * 2**attempt * random.uniform(0.5, 1.0)  # noqa: S311
        if self.stopping.wait(min(wait, _RETRY_AFTER_CAP)):
            raise Stopped


def _netloc(url: str) -> str:
    """Host and port of an address, without its login."""
    return urlsplit(url).netloc.rpartition("@")[2]


def _brief(error: ModelstacksError) -> str:
    return f"{error.where}: {error.problem}"
