"""One registry over HTTP: TLS verified, signed in as it asks, requests sent again while that may help.

Source: OCI Distribution Specification 1.1.
"""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
import requests.auth
import urllib3.exceptions

from builder.errors import JobError, SurroundingsError
from builder.net.client import Client
from builder.net.failures import may_pass, unreachable
from builder.net.session import Session
from builder.net.urls import clean_url
from builder.plain import json_object, plain
from builder.registry.hosts import scheme
from builder.registry.logins import Login, login
from builder.registry.tokens import Challenge, Token, challenge, token
from builder.settings import Settings

_TRIES = 6
_TRANSIENT = {408, 425, 429, 500, 502, 503, 504}
_PAGE = 4 << 20  # bytes of an error or a token

Body = Callable[[], Any] | bytes | None


class _Header(requests.auth.AuthBase):
    """The login of a request, and nothing else: netrc has no say."""

    def __init__(self, value: str) -> None:
        self._value = value

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._value:
            request.headers["Authorization"] = self._value
        return request


@dataclass
class _Given:
    value: str
    until: float


@dataclass
class Connection:
    """A registry, by its host. settings: trust, time-outs, logins. Use as a context manager; for one thread."""

    host: str
    settings: Settings
    warn: Callable[[str], None] = lambda _: None
    stopping: threading.Event = field(default_factory=threading.Event, repr=False)
    _tokens: dict[str, _Given] = field(default_factory=dict, repr=False)
    _basic: bool = field(default=False, repr=False)

    def __post_init__(self) -> None:
        self._session = Session(self.settings, stopping=self.stopping, warn=self.warn)
        self._client = Client(self.settings, str(self._session.ca_bundle))
        named = "registry-1.docker.io" if self.host == "docker.io" else self.host
        self.root = f"{scheme(named, self._session)}://{named}/v2/"
        self._login: Login | None = None

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End its connections."""
        self._client.close()
        self._session.close()

    def send(
        self,
        method: str,
        path: str,
        *,
        scope: str,
        accepted: frozenset[int] | set[int] = frozenset(),
        headers: Mapping[str, str] | None = None,
        body: Body = None,
        tries: int = _TRIES,
    ) -> requests.Response:
        """The answer to a request, its body still to be read; sent again while it fails in a way that may pass.

        path: below /v2/, or a whole address that the registry named. scope: what for, as tokens have it. body: bytes,
        or what gives a stream of them anew for each try. accepted: statuses of 400 and more that are answers too.
        Raises SurroundingsError where the registry cannot be reached or trusted, JobError where it refuses.
        """
        url = self._own(urljoin(self.root, path))
        signed = False
        while True:
            answer = self._patiently(url, lambda: self._once(method, url, scope, headers or {}, body), tries, accepted)
            status = answer.status_code
            if status == 401 and not signed:  # no token yet, one that has ended, or one for less than this
                signed = True
                self._sign_in(answer, scope)
            elif status < 400 or status in accepted:
                return answer
            else:
                raise self._refused(answer, method, url)

    def _patiently(
        self,
        url: str,
        once: Callable[[], requests.Response],
        tries: int = _TRIES,
        accepted: frozenset[int] | set[int] = frozenset(),
    ) -> requests.Response:
        """The answer to a request, sent again while it fails in a way that may pass."""
        attempt = 0
        while True:
            last = attempt + 1 >= tries
            asked = ""
            try:
                answer = once()
            except requests.RequestException as error:
                if last or not may_pass(error):
                    raise unreachable(url, error, self.settings) from None
            else:
                if last or answer.status_code not in _TRANSIENT - accepted:
                    return answer
                answer.close()
                asked = answer.headers.get("Retry-After", "")
            self._session.pause(attempt, asked)
            attempt += 1

    def _once(self, method: str, url: str, scope: str, headers: Mapping[str, str], body: Body) -> requests.Response:
        home = urlsplit(url).netloc == urlsplit(self.root).netloc
        data = body() if callable(body) else body
        return self._request(method, url, self._authorization(scope) if home else "", data=data, headers=dict(headers))

    def _request(self, method: str, url: str, login: str, **more: Any) -> requests.Response:  # noqa: ANN401
        return self._client.request(
            method,
            url,
            stream=True,
            timeout=(self.settings.connect_timeout, self.settings.read_timeout),
            verify=str(self._session.ca_bundle),
            auth=_Header(login),
            **more,
        )

    def _own(self, url: str) -> str:
        """An address that may be asked: the registry's own, or one over https that it names for uploads or blobs."""
        if not url.startswith("https://") and urlsplit(url).netloc != urlsplit(self.root).netloc:
            raise JobError("the registry leads to an address without TLS", where=clean_url(url), fix="use another one")
        return url

    def _authorization(self, scope: str) -> str:
        token = self._tokens.get(scope)
        if token and time.monotonic() < token.until:
            return f"Bearer {token.value}"
        return self._plain() if self._basic else ""

    def _plain(self) -> str:
        who = self._known()
        return f"Basic {base64.b64encode(f'{who.user}:{who.password}'.encode()).decode()}" if who.user else ""

    def _known(self) -> Login:
        if self._login is None:
            self._login = login(self.host, self.settings)
        return self._login

    def _sign_in(self, answer: requests.Response, scope: str) -> None:
        header = answer.headers.get("WWW-Authenticate", "")
        answer.close()
        if asked := challenge(header, self.root):
            given = self._token(asked, scope)
            self._tokens[scope] = _Given(given.value, time.monotonic() + given.seconds)
        elif header.lower().startswith("basic") and not self._known().user:
            raise self._unsigned("it asks for a login, and none is known for it")
        else:
            self._basic = True

    def _unsigned(self, why: str) -> SurroundingsError:
        fix = f"docker login {self.host} (or name its token under [tokens] of modelstacks.toml)"
        return SurroundingsError(f"{self.host} lets nobody in without a login", where=self.root, why=why, fix=fix)

    def _token(self, asked: Challenge, scope: str) -> Token:
        """A token for a scope. A login is shown to the token server that the registry names, over TLS alone."""
        known = self._known()
        if known.identity:
            form = {**asked.asked, "scope": scope, "grant_type": "refresh_token", "client_id": "modelstacks"}
            document = self._ask(asked.realm, "POST", "", {**form, "refresh_token": known.identity})
        else:
            document = self._ask(asked.url(scope.split(" ")), "GET", self._plain(), None)
        return token(document, asked.realm)

    def _ask(self, url: str, method: str, header: str, form: Mapping[str, str] | None) -> dict[str, Any]:
        data = b""

        def once() -> requests.Response:
            nonlocal data
            answer = self._request(method, url, header, data=form)
            with answer:
                try:
                    data = answer.raw.read(_PAGE, decode_content=True)
                except (urllib3.exceptions.HTTPError, OSError) as error:
                    raise requests.ConnectionError(error) from None
            return answer

        status = self._patiently(url, once).status_code
        if status in (400, 401, 403):
            raise self._unsigned(f"its token server answers {status}")
        return json_object(data) if status < 400 else {}

    def _refused(self, answer: requests.Response, method: str, url: str) -> JobError | SurroundingsError:
        with answer:
            try:
                said = json_object(answer.raw.read(_PAGE, decode_content=True)).get("errors")
            except Exception:  # what it says is a help, no more
                said = None
        rows = [row for row in said if isinstance(row, dict)] if isinstance(said, list) else []
        why = "; ".join(plain(f"{row.get('code', '')}: {row.get('message', '')}")[:200] for row in rows[:3])
        status = answer.status_code
        if status in (401, 403):
            return self._unsigned(f"it answers {status} to {method}{': ' if why else ''}{why}")
        fixes = {404: "check the name", 413: "raise what it and its proxy take in one request"}
        fix = fixes.get(status, "look at its log and its disk, then run it again: what is there is not sent again")
        return JobError(f"the registry answers {status} to {method}", where=clean_url(url), why=why, fix=fix)

    def pause(self, attempt: int, retry_after: str = "") -> None:
        """Wait before try attempt+2, as Session.pause."""
        self._session.pause(attempt, retry_after)
