"""One registry over HTTP: TLS verified, signed in as it asks, requests sent again while that may help.

Source: OCI Distribution Specification 1.1, and the token authentication that registries share (docker's distribution
documentation, "Token Authentication Specification").
"""

from __future__ import annotations

import base64
import json
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

import requests
import requests.auth

from builder.errors import JobError, SurroundingsError
from builder.net.client import Client
from builder.net.failures import may_pass, unreachable
from builder.net.registry import is_loopback, scheme
from builder.net.session import Session
from builder.net.urls import clean_url
from builder.plain import plain
from builder.registry.logins import Login, login
from builder.settings import Settings

_TRIES = 6
_TRANSIENT = {408, 425, 429, 500, 502, 503, 504}
_TOKEN_SECONDS = 60.0  # how long a token lasts that does not tell, as the specification has it
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
class _Token:
    value: str
    until: float


@dataclass
class Connection:
    """A registry, by its host. settings: trust, time-outs, logins. Use as a context manager; for one thread."""

    host: str
    settings: Settings
    warn: Callable[[str], None] = lambda _: None
    stopping: threading.Event = field(default_factory=threading.Event, repr=False)
    _tokens: dict[str, _Token] = field(default_factory=dict, repr=False)
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
        attempt = 0
        while True:
            last = attempt + 1 >= tries
            try:
                answer = self._once(method, url, scope, headers or {}, body)
            except requests.RequestException as error:
                if last or not may_pass(error):
                    raise unreachable(url, error, self.settings) from None
                self._session.pause(attempt)
                attempt += 1
                continue
            status = answer.status_code
            if status == 401 and not signed:  # no token yet, one that has ended, or one for less than this
                signed = True
                self._sign_in(answer, scope)
                continue
            if status < 400 or status in accepted:
                return answer
            if last or status not in _TRANSIENT:
                raise self._refused(answer, method, url)
            answer.close()
            self._session.pause(attempt, answer.headers.get("Retry-After", ""))
            attempt += 1

    def _once(self, method: str, url: str, scope: str, headers: Mapping[str, str], body: Body) -> requests.Response:
        home = urlsplit(url).netloc == urlsplit(self.root).netloc
        return self._client.request(
            method,
            url,
            data=body() if callable(body) else body,
            headers=dict(headers),
            stream=True,
            timeout=(self.settings.connect_timeout, self.settings.read_timeout),
            verify=str(self._session.ca_bundle),
            auth=_Header(self._authorization(scope) if home else ""),
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
        challenge = answer.headers.get("WWW-Authenticate", "")
        answer.close()
        if challenge.lower().startswith("bearer "):
            self._tokens[scope] = self._token(dict(re.findall(r'(\w+)="([^"]*)"', challenge)), scope)
        elif challenge.lower().startswith("basic") and not self._known().user:
            raise self._unsigned("it asks for a login, and none is known for it")
        else:
            self._basic = True

    def _unsigned(self, why: str) -> SurroundingsError:
        fix = f"docker login {self.host} (or name its token under [tokens] of modelstacks.toml)"
        return SurroundingsError(f"{self.host} lets nobody in without a login", where=self.root, why=why, fix=fix)

    def _token(self, said: Mapping[str, str], scope: str) -> _Token:
        """A token for a scope. A login is shown to the token server that the registry names, over TLS alone."""
        realm = said.get("realm", "")
        if not realm.startswith("https://") and not (self.root.startswith("http://") and is_loopback(realm)):
            raise JobError("the registry's token server is not at an https address", where=self.root)
        asked = {"service": said["service"]} if "service" in said else {}
        known = self._known()
        if known.identity:
            form = {**asked, "scope": scope, "grant_type": "refresh_token", "client_id": "modelstacks"}
            document = self._ask(realm, "POST", "", {**form, "refresh_token": known.identity})
        else:
            query = urlencode([*asked.items(), *(("scope", one) for one in scope.split(" "))])
            joined = f"{realm}{'&' if '?' in realm else '?'}{query}"
            document = self._ask(joined, "GET", self._plain(), None)
        token = document.get("token") or document.get("access_token")
        if not re.fullmatch(r"[\x21-\x7e]+", str(token or "")):
            raise JobError("the registry's token server sent no token", where=clean_url(realm))
        seconds = document.get("expires_in")
        lasts = float(seconds) if isinstance(seconds, (int, float)) and seconds > 0 else _TOKEN_SECONDS
        return _Token(str(token), time.monotonic() + lasts * 0.8)

    def _ask(self, url: str, method: str, header: str, form: Mapping[str, str] | None) -> dict[str, Any]:
        for attempt in range(_TRIES):
            try:
                answer = self._client.request(
                    method,
                    url,
                    data=form,
                    timeout=(self.settings.connect_timeout, self.settings.read_timeout),
                    verify=str(self._session.ca_bundle),
                    auth=_Header(header),
                    stream=True,
                )
                with answer:
                    data = answer.raw.read(_PAGE, decode_content=True)
            except requests.RequestException as error:
                if attempt + 1 == _TRIES or not may_pass(error):
                    raise unreachable(url, error, self.settings) from None
                self._session.pause(attempt)
                continue
            if answer.status_code in (400, 401, 403):
                raise self._unsigned(f"its token server answers {answer.status_code}")
            if answer.status_code in _TRANSIENT and attempt + 1 < _TRIES:
                self._session.pause(attempt, answer.headers.get("Retry-After", ""))
                continue
            return _json(data) if answer.status_code < 400 else {}
        return {}

    def _refused(self, answer: requests.Response, method: str, url: str) -> JobError | SurroundingsError:
        with answer:
            try:
                said = _json(answer.raw.read(_PAGE, decode_content=True)).get("errors")
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


def _json(data: bytes) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
