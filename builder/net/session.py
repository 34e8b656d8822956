"""HTTP as this project speaks it: TLS verified, time-outs, retries, and errors that say what to do."""

from __future__ import annotations

import email.utils
import random
import re
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from urllib.parse import quote, urljoin, urlsplit, urlunsplit

import requests
import urllib3.exceptions

import builder
from builder.errors import InputError, JobError, ModelstacksError, SurroundingsError
from builder.net import Stopped
from builder.net.tls import ca_bundle
from builder.settings import Settings

_CONNECT_SECONDS, _READ_SECONDS = 15, 60
_TRIES = 5
_RETRY_AFTER_CAP = 120.0
_PAGE_LIMIT = 128 << 20  # bytes of one page; the longest index pages seen are about 30 MB
_PIECE = 1 << 18  # bytes; with 16 kB, what one TLS record holds, several threads get half as far
_TRANSIENT = {408, 425, 429, 500, 502, 503, 504}
_NO_HEAD = {403, 405, 501}


class Cut(Exception):
    """A body ended early or stalled; what came before it is good and can be resumed."""


class _Client(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> str | None:
        target = super().get_redirect_target(resp)
        if target and resp.url.startswith("https:") and not urljoin(resp.url, target).startswith("https:"):
            resp.close()
            raise JobError(
                "the server redirects from https to an address without TLS",
                where=clean_url(resp.url),
                why=f"it points to {clean_url(urljoin(resp.url, target))}",
                fix="use a mirror that answers over https all the way",
            )
        return target


@dataclass(frozen=True)
class Body:
    """A body being read. offset: where in the file it begins. length: bytes to come, None if not said."""

    offset: int
    length: int | None
    chunks: Iterator[bytes]


class Session:
    """One run's HTTP client; may be used from any thread.

    settings: gives the CA bundle. stopping: when set, waits and reads end with Stopped. As a context
    manager it closes its connections at the end.
    Every method raises SurroundingsError where the server cannot be reached or trusted, JobError where
    it refuses, InputError for an address that is not http(s); `where` is the URL without credentials.
    """

    def __init__(self, settings: Settings, *, stopping: threading.Event | None = None) -> None:
        self.ca_bundle = ca_bundle(settings)
        self.stopping = stopping or threading.Event()
        self._local = threading.local()
        self._open_bodies: set[requests.Response] = set()
        self._clients: list[_Client] = []

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
        for attempt in range(_TRIES):
            response = self._open("GET", url, {"Accept": accept})
            try:
                data = b"".join(self._limited(response, url))
            except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
                if attempt + 1 == _TRIES:
                    raise _unreachable(url, error) from None
                self.pause(attempt)
                continue
            finally:
                response.close()
            charset = response.encoding if "charset" in response.headers.get("Content-Type", "") else None
            kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
            return _decoded(data, charset), kind, response.url
        raise AssertionError("the loop above returns or raises")

    def _limited(self, response: requests.Response, url: str) -> Iterator[bytes]:
        total = 0
        for piece in response.iter_content(_PIECE):
            total += len(piece)
            if total > _PAGE_LIMIT:
                raise JobError(f"the page is longer than {_PAGE_LIMIT} bytes", where=clean_url(url))
            yield piece

    def size_of(self, url: str) -> int:
        """The size in bytes of the file at url, by HEAD, or by a GET of its first byte where HEAD does not tell."""
        plain = {"Accept-Encoding": "identity"}
        with self._open("HEAD", url, plain, accepted=_NO_HEAD) as head:
            length = head.headers.get("Content-Length", "")
            if head.status_code == 200 and length.isdecimal():
                return int(length)
        with self._open("GET", url, {**plain, "Range": "bytes=0-0"}, accepted={416}) as response:
            length = response.headers.get("Content-Length", "")
            if response.status_code != 200:
                length = response.headers.get("Content-Range", "").rpartition("/")[2]
            if length.isdecimal():
                return int(length)
        raise JobError("the server does not tell the size of the file", where=clean_url(url))

    @contextmanager
    def stream(self, url: str, start: int = 0, stop: int | None = None) -> Iterator[Body]:
        """Read the bytes start..stop (stop not included, None for the end) of the file at url.

        Where the server does not honour the range, the body's offset is 0 and it holds the whole file.
        Its chunks raise Cut when the connection breaks, stalls or ends short.
        """
        headers = {"Accept-Encoding": "identity"}
        if start or stop is not None:
            headers["Range"] = f"bytes={start}-{'' if stop is None else stop - 1}"
        response = self._open("GET", url, headers, accepted={416})
        if response.status_code == 416 or (response.status_code == 206 and _first_byte(response) != start):
            response.close()
            response = self._open("GET", url, {"Accept-Encoding": "identity"})
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
            raise Cut(_reason(error)) from None

    def _open(
        self, method: str, url: str, headers: Mapping[str, str], *, accepted: set[int] | frozenset[int] = frozenset()
    ) -> requests.Response:
        """Send a request, again while it fails in a way that may pass; the response is open and its status good."""
        if not re.match(r"https?://[^/]", url):
            raise InputError("not an http(s) address", where=clean_url(url), fix="write https://HOST/PATH")
        for attempt in range(_TRIES):
            last = attempt + 1 == _TRIES
            try:
                response = self._client().request(
                    method,
                    url,
                    headers=dict(headers),
                    stream=True,
                    allow_redirects=True,
                    timeout=(_CONNECT_SECONDS, _READ_SECONDS),
                    verify=str(self.ca_bundle),  # given per request: the environment would win over the session's
                )
            except requests.RequestException as error:
                if last or not _may_pass(error):
                    raise _unreachable(url, error) from None
                self.pause(attempt)
                continue
            if response.status_code < 400 or response.status_code in accepted:
                return response
            response.close()
            if last or response.status_code not in _TRANSIENT:
                raise _refused(url, response)
            self.pause(attempt, response.headers.get("Retry-After", ""))
        raise AssertionError("the loop above returns or raises")

    def _client(self) -> _Client:
        client: _Client | None = getattr(self._local, "client", None)
        if client is None:
            client = self._local.client = _Client()
            self._clients.append(client)
            client.headers["User-Agent"] = f"modelstacks/{builder.__version__}"
        return client

    def pause(self, attempt: int, retry_after: str = "") -> None:
        """Wait before try attempt+2: as long as the server asked (120 s at most), else longer each time.

        retry_after: the header's value, "" for none. Raises Stopped when told to stop.
        """
        asked = _seconds(retry_after)
        wait = asked if asked is not None else 0.5 * 2**attempt * random.uniform(0.5, 1.0)  # noqa: S311
        if self.stopping.wait(min(wait, _RETRY_AFTER_CAP)):
            raise Stopped


def clean_url(url: str) -> str:
    """The address as it may be shown: no user, no password, no query values, no fragment, no control characters."""
    parts = urlsplit(url)
    shown = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "…" if parts.query else "", ""))
    return re.sub(r"[\x00-\x1f\x7f]", "?", shown)


def quoted(path: str) -> str:
    """A path of plain text as it stands in an address."""
    return quote(path, safe="/+~:=@")


def _decoded(data: bytes, charset: str | None) -> str:
    try:
        return data.decode(charset or "utf-8", errors="replace")
    except LookupError:
        return data.decode("utf-8", errors="replace")


def _first_byte(response: requests.Response) -> int:
    found = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    return int(found[1]) if found else -1


def _seconds(retry_after: str) -> float | None:
    """Retry-After in seconds: it is a number or a date; None when it is neither."""
    if re.fullmatch(r"\d{1,9}", retry_after.strip()):
        return float(retry_after)
    try:
        return max(email.utils.parsedate_to_datetime(retry_after).timestamp() - time.time(), 0.0)
    except (TypeError, ValueError):
        return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and everything it was raised from or wraps, outermost first."""
    queue, seen = [error], set[int]()
    while queue:
        one = queue.pop(0)
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        inner = [one.__cause__, one.__context__, getattr(one, "reason", None), *one.args]
        queue.extend(item for item in inner if isinstance(item, BaseException))


def _may_pass(error: BaseException) -> bool:
    """Whether a second try may go better."""
    hopeless = (ssl.SSLCertVerificationError, requests.exceptions.InvalidURL, requests.exceptions.TooManyRedirects)
    return not any(isinstance(cause, hopeless) for cause in _causes(error))


def _reason(error: BaseException) -> str:
    """The innermost reason, without the addresses that the outer texts carry."""
    if isinstance(error, (requests.Timeout, urllib3.exceptions.ReadTimeoutError)):
        return f"no byte came within {_READ_SECONDS} s"
    for cause in reversed(list(_causes(error))):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return cause.verify_message
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
    return type(error).__name__


def _unreachable(url: str, error: requests.RequestException | urllib3.exceptions.HTTPError) -> ModelstacksError:
    causes = list(_causes(error))
    host = urlsplit(url).hostname or ""

    def seen(*kinds: type[BaseException]) -> bool:
        return any(isinstance(cause, kinds) for cause in causes)

    if seen(requests.exceptions.InvalidURL, requests.exceptions.TooManyRedirects):
        return JobError("the address cannot be followed", where=clean_url(url), why=type(error).__name__)
    if seen(ssl.SSLCertVerificationError):
        problem = f"the certificate of {host} is not trusted"
        fix = "export CA_BUNDLE=FILE, your site's root certificate in PEM; it adds to the public roots"
    elif seen(requests.exceptions.ProxyError, urllib3.exceptions.ProxyError):
        problem, fix = f"the proxy on the way to {host} cannot be used", "check http_proxy, https_proxy and no_proxy"
    elif seen(socket.gaierror, urllib3.exceptions.NameResolutionError):
        problem, fix = f"the name {host} cannot be resolved", "check the network, or name a mirror this host can reach"
    elif seen(ConnectionRefusedError):
        problem, fix = f"{host} refuses the connection", "check the address, or name a mirror this host can reach"
    elif seen(requests.Timeout, urllib3.exceptions.TimeoutError):
        problem, fix = f"{host} does not answer in time", "check the network or the proxy, then run again"
    else:
        problem, fix = f"the connection to {host} breaks", "check the network or the proxy, then run again"
    return SurroundingsError(problem, where=clean_url(url), why=_reason(error), fix=fix)


def _refused(url: str, response: requests.Response) -> JobError:
    status = response.status_code
    fix = {
        401: "put the user and password for this host into ~/.netrc",
        403: "check that this host may read it (~/.netrc holds users and passwords)",
        404: "check the address, or name a mirror that has it",
        407: "put the user and password of the proxy into https_proxy",
    }.get(status, "try again later, or name another mirror")
    why = f"after redirects: {clean_url(response.url)}" if clean_url(response.url) != clean_url(url) else ""
    return JobError(
        f"the server answers {status} {response.reason or ''}".rstrip(), where=clean_url(url), why=why, fix=fix
    )
