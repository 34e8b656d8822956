"""The certificates a TLS server presents, read without trusting them, so that an error can name who issued them."""

from __future__ import annotations

import base64
import http.client
import re
import ssl
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any
from urllib.parse import unquote, urlsplit

from builder.errors import SurroundingsError
from builder.settings import Settings

_SECONDS = 15  # for the connection and the handshake each


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """What one certificate says of itself; nothing of it is verified.

    subject, issuer: RFC 4514 names without control characters. names: host names and addresses it is for.
    not_before, not_after: in UTC. ca: may issue others (basicConstraints). sha256: of its DER bytes.
    """

    subject: str
    issuer: str
    names: tuple[str, ...]
    not_before: datetime
    not_after: datetime
    ca: bool
    sha256: str
    der: bytes

    @property
    def pem(self) -> str:
        """The certificate in PEM."""
        return ssl.DER_cert_to_PEM_cert(self.der)

    @property
    def self_issued(self) -> bool:
        """Whether it is a root (or a server's self-signed certificate)."""
        return self.subject == self.issuer

    def document(self) -> dict[str, Any]:
        """The same as a JSON-ready mapping, without the bytes."""
        return {
            "subject": self.subject,
            "issuer": self.issuer,
            "names": list(self.names),
            "not_before": self.not_before.isoformat(),
            "not_after": self.not_after.isoformat(),
            "ca": self.ca,
            "sha256": self.sha256,
        }


def facts(der: bytes) -> Certificate:
    """What a certificate in DER says. Raises ValueError for bytes that are none."""
    from cryptography import x509  # noqa: PLC0415
    from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of odd but readable certificates, such as a negative serial number
        read = x509.load_der_x509_certificate(der)
        try:
            names = tuple(
                _plain(str(name.value))
                for name in read.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
            )
        except x509.ExtensionNotFound:
            names = ()
        try:
            ca = read.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
        except x509.ExtensionNotFound:
            # Roots of X.509 version 1 have no extensions, and OpenSSL takes them when they issued themselves.
            ca = read.version is x509.Version.v1 and read.subject == read.issuer
        return Certificate(
            subject=_plain(read.subject.rfc4514_string()),
            issuer=_plain(read.issuer.rfc4514_string()),
            names=names,
            not_before=read.not_valid_before_utc,
            not_after=read.not_valid_after_utc,
            ca=ca,
            sha256=read.fingerprint(SHA256()).hex(),
            der=der,
        )


def presented(host: str, port: int, settings: Settings) -> list[Certificate]:
    """The chain that host presents on port, its own certificate first, through the proxy that the environment names.

    The handshake is made without verification and the connection closed at once: no request, credential
    or client certificate is sent, and nothing read here is ever trusted. On Python before 3.13 the chain
    is the server's own certificate alone where the interpreter cannot tell the rest. settings: gives
    the time to wait for the connection. Raises SurroundingsError where no handshake comes about.
    """
    # Safe here: the connection carries no byte of ours, and what it shows is only named in a message.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    connection = connection_to(host, port, context)
    connection.timeout = settings.connect_timeout
    try:
        connection.connect()
        return [facts(der) for der in _chain(connection.sock)]
    except (OSError, ValueError, http.client.HTTPException) as error:
        why = _plain(getattr(error, "strerror", None) or str(error) or type(error).__name__)
        raise SurroundingsError(
            f"{host} shows no certificate", where=f"{host}:{port}", why=why, fix="check the network or the proxy"
        ) from None
    finally:
        connection.close()


def connection_to(host: str, port: int, context: ssl.SSLContext) -> http.client.HTTPSConnection:
    """An unopened connection, tunnelled through the proxy that holds for the host."""
    from requests.utils import get_environ_proxies, select_proxy  # noqa: PLC0415

    url = f"https://{f'[{host}]' if ':' in host else host}:{port}/"
    proxy = urlsplit(select_proxy(url, get_environ_proxies(url)) or "")
    if not proxy.hostname:
        return http.client.HTTPSConnection(host, port, timeout=_SECONDS, context=context)
    connection = http.client.HTTPSConnection(proxy.hostname, proxy.port or 80, timeout=_SECONDS, context=context)
    headers = {}
    if proxy.username:
        login = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
        headers["Proxy-Authorization"] = f"Basic {base64.b64encode(login.encode()).decode()}"
    connection.set_tunnel(host, port, headers)
    return connection


def _chain(sock: Any) -> Sequence[bytes]:  # noqa: ANN401
    """DER of the presented certificates; the public way exists since Python 3.13."""
    if hasattr(sock, "get_unverified_chain"):
        return list(sock.get_unverified_chain())
    inner: Any = getattr(sock, "_sslobj", None)
    if hasattr(inner, "get_unverified_chain"):
        return [ssl.PEM_cert_to_DER_cert(one.public_bytes()) for one in inner.get_unverified_chain() or []]
    return [sock.getpeercert(binary_form=True)]


def name(rfc4514: str) -> str:
    """The common name of a subject or issuer as `CN=…`, else the whole of it."""
    found = re.search(r"(?:^|,)(CN=(?:\\.|[^,\\])*)", rfc4514)
    return found[1] if found else rfc4514


def fault(chain: Sequence[Certificate], host: str, *, now: datetime | None = None) -> str:
    """What of a presented chain explains that it is not trusted, in words, naming its issuer; "" for an empty one.

    Looks at dates and names only; whether an issuer is trusted is not decided here. now: default the clock's.
    """
    if not chain:
        return ""
    now = now or datetime.now(timezone.utc)
    for one in chain:
        if one.not_after < now:
            return f"{name(one.subject) or 'the certificate'} expired on {one.not_after:%Y-%m-%d} (issuer {one.issuer})"
        if one.not_before > now:
            return f"{name(one.subject)} is not valid before {one.not_before:%Y-%m-%d %H:%M} UTC; is the clock right?"
    if not any(_matches(item, host) for item in chain[0].names):
        names = ", ".join(chain[0].names[:5]) or "no host name"
        return f"it is for {names}, not for {host} (issuer {chain[0].issuer})"
    return _issuance(chain[0], chain[-1])


def _issuance(first: Certificate, last: Certificate) -> str:
    """Who issued the server's certificate, and where its chain ends."""
    if first.self_issued:
        return f"it is self-signed, {name(first.subject)}"
    if last.self_issued:
        return f"the issuer is {name(first.issuer)}; the chain ends in the root {name(last.subject)}"
    return f"the issuer is {name(first.issuer)}; the chain ends below {name(last.issuer)}, which it does not hold"


def _matches(pattern: str, host: str) -> bool:
    pattern, host = pattern.lower().rstrip("."), host.lower().rstrip(".")
    if pattern.startswith("*."):
        return host.partition(".")[2] == pattern[2:]
    return pattern == host


def _plain(text: str) -> str:
    return re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", "?", text)
