"""requests as this project uses it: the site's tokens and client certificates, each shown to its own host only."""

from __future__ import annotations

import base64
import http.cookiejar
import os
import re
import ssl
from collections.abc import Mapping
from typing import Any
from urllib.parse import urljoin

import requests
import requests.adapters
import requests.auth
import requests.utils
import urllib3
import urllib3.util.ssl_

import builder
from builder.errors import InputError, JobError
from builder.net.urls import clean_url, without_login
from builder.settings import ClientCertificate, Settings


class _Base(requests.Session):
    def __init__(self) -> None:
        super().__init__()
        self.headers["User-Agent"] = f"modelstacks/{builder.__version__}"

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        target = super().get_redirect_target(resp)
        try:
            joined = urljoin(resp.url, target or "")
        except ValueError:
            resp.close()
            problem = "it leads to what is no http(s) address"
            raise JobError(problem, where=clean_url(resp.url), fix="name another mirror") from None
        if target and resp.url.startswith("https:") and not joined.startswith("https:"):
            resp.close()
            raise JobError(
                "the server redirects from https to an address without TLS",
                where=clean_url(resp.url),
                why=f"it points to {clean_url(joined)}",
                fix="use a mirror that answers over https all the way",
            )
        return target


class Client(_Base):
    """A requests session that verifies every server and signs in where the settings say so."""

    def __init__(self, settings: Settings, ca_bundle: str) -> None:
        super().__init__()
        self._settings, self._ca_bundle = settings, ca_bundle
        for host, files in settings.client_certificates.items():
            adapter = _WithContext(_client_context(host, files))
            for name in {host, host.removesuffix(":443")}:  # requests compares the address as it is written
                self.mount(f"https://{name}/", adapter)
            if not re.search(r":\d+$", host):
                self.mount(f"https://{host}:443/", adapter)

    def fetch(
        self, method: str, url: str, headers: Mapping[str, str], timeout: tuple[float, float], body: bytes | None = None
    ) -> Any:  # noqa: ANN401
        """A response whose body is still to be read; raises requests' exceptions, JobError for an unsafe redirect."""
        # verify is given per request: the environment would win over the session's.
        return self.request(
            method,
            url,
            headers=dict(headers),
            data=body,
            stream=True,
            timeout=timeout,
            verify=self._ca_bundle,
            # A login that was asked for here stands before all others, netrc's too.
            auth=_Token(headers["Authorization"]) if "Authorization" in headers else token(url, self._settings),
        )

    def rebuild_auth(self, prepared_request: requests.PreparedRequest, response: requests.Response) -> None:
        """After a redirect: requests has taken a login off that was for another host; ours may have its own."""
        super().rebuild_auth(prepared_request, response)  # type: ignore[no-untyped-call]
        if own := token(str(prepared_request.url), self._settings):
            prepared_request.prepare_auth(own)


class Unverified(_Base):
    """A requests session that verifies no certificate, for files whose sha256 and size are locked, and nothing else.

    Whatever a false server sends is refused when it is hashed, and it learns nothing: no netrc, token,
    client certificate, login of the address or cookie is sent. Proxies of the environment are used.
    """

    def __init__(self) -> None:
        super().__init__()
        self.trust_env = False
        self.cookies.set_policy(http.cookiejar.DefaultCookiePolicy(allowed_domains=[]))
        context = urllib3.util.ssl_.create_urllib3_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        self.mount("https://", _WithContext(context, verified=False))

    def fetch(
        self, method: str, url: str, headers: Mapping[str, str], timeout: tuple[float, float], body: bytes | None = None
    ) -> Any:  # noqa: ANN401
        """A response whose body is still to be read and held to its locked hash."""
        bare = without_login(url)
        proxies = requests.utils.get_environ_proxies(bare)
        # The session says once per host, in its own words, what urllib3 would say per request.
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        sent = {key: value for key, value in headers.items() if key != "Authorization"}
        return self.request(method, bare, headers=sent, data=body, stream=True, timeout=timeout, proxies=proxies)

    def rebuild_auth(self, prepared_request: requests.PreparedRequest, response: requests.Response) -> None:
        """After a redirect: requests has put the answer's cookies on, past the policy above."""
        prepared_request.headers.pop("Authorization", None)
        prepared_request.headers.pop("Cookie", None)


class _WithContext(requests.adapters.HTTPAdapter):
    """An adapter whose connections use a TLS context of our own, through proxies too."""

    def __init__(self, context: ssl.SSLContext, *, verified: bool = True) -> None:
        self._context, self._verified = context, verified
        super().__init__()

    def init_poolmanager(self, *args: Any, **keywords: Any) -> None:  # noqa: ANN401
        super().init_poolmanager(*args, **keywords, ssl_context=self._context)

    def proxy_manager_for(self, proxy: str, **keywords: Any) -> Any:  # noqa: ANN401
        return super().proxy_manager_for(proxy, **keywords, ssl_context=self._context)

    def build_connection_pool_key_attributes(
        self,
        request: requests.PreparedRequest,
        verify: Any,  # noqa: ANN401
        cert: Any = None,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        host, pool = super().build_connection_pool_key_attributes(request, verify, cert)
        unverified = {"ssl_context": self._context, "cert_reqs": "CERT_NONE", "assert_hostname": False}
        return host, pool if self._verified else unverified

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:  # noqa: ANN401
        if self._verified:
            super().cert_verify(conn, url, verify, cert)  # type: ignore[no-untyped-call]


class _Token(requests.auth.AuthBase):
    def __init__(self, header: str) -> None:
        self._header = header

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = self._header
        return request


def token(url: str, settings: Settings) -> _Token | None:
    """The login for the host of an https address, None where its variable is not set."""
    header = authorization(url, settings)
    return _Token(header) if header else None


def authorization(url: str, settings: Settings) -> str:
    """The Authorization header for the host of an https address, "" where none is set.

    `user:token` is sent as Basic, anything else as Bearer. Raises InputError where the variable holds
    what cannot stand in a header; its value is in no message.
    """
    variable = settings.token_variable(url)
    value = os.environ.get(variable, "").strip() if variable else ""
    if not value:
        return ""
    if not re.fullmatch(r"[\x20-\x7e]+", value):
        raise InputError(f"the token in ${variable} holds control or non-ASCII characters", fix="set it anew")
    if ":" in value:
        return f"Basic {base64.b64encode(value.encode()).decode()}"
    return f"Bearer {value}"


def basic(url: str, settings: Settings) -> tuple[str, str] | None:
    """User and password for the host of an https address, for clients that speak Basic only; None where none is set.

    A bearer token becomes the password of the user `__token__`. Raises as `authorization`.
    """
    kind, _, value = authorization(url, settings).partition(" ")
    if kind == "Basic":
        user, _, password = base64.b64decode(value).decode().partition(":")
        return user, password
    return ("__token__", value) if value else None


def _client_context(host: str, files: ClientCertificate) -> ssl.SSLContext:
    context = urllib3.util.ssl_.create_urllib3_context()
    try:
        # The empty password keeps OpenSSL from asking for one on the terminal.
        context.load_cert_chain(files.cert, files.key, password=lambda: b"")
    except (OSError, ValueError) as error:
        raise InputError(
            f"the client certificate for {host} cannot be used",
            where=str(files.cert),
            why=getattr(error, "reason", None) or getattr(error, "strerror", None) or type(error).__name__,
            fix="name a PEM certificate and its PEM key, the key without a password",
        ) from None
    return context
