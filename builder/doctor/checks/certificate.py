"""The TLS chain a host presents: who issued it, whether it is trusted and by which root, and who sits in between."""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime, timezone
from typing import Any

from builder.doctor.handshake import verified
from builder.doctor.model import Diagnosis, Kind, Server, State
from builder.doctor.proxy import Proxy
from builder.doctor.roots import Roots
from builder.errors import SurroundingsError
from builder.net.chain import Certificate, fault, name, presented
from builder.net.tls import engine_ca_file
from builder.settings import Settings

NAME = "certificate"
# X509_V_ERR_… of OpenSSL's x509_vfy.h.
_NOT_YET_VALID, _EXPIRED, _WRONG_HOST = (9,), (10,), (62, 64)
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_UNKNOWN_ISSUER = (2, 18, 19, 20, 21)  # no issuer here, self-signed with and without a chain, none local, leaf alone


def judge(host: Server, proxy: Proxy | None, roots: Roots, settings: Settings, kinds: AbstractSet[Kind]) -> Diagnosis:
    """The chain of a host. kinds: what is wanted from it."""
    if host.scheme == "http":
        return _plain(host, kinds)
    try:
        found = verified(host.name, host.port, roots.context(host), settings.connect_timeout)
    except ssl.SSLCertVerificationError as error:
        return _untrusted(host, error, settings, kinds)
    except (OSError, http.client.HTTPException, ValueError) as error:
        return _no_handshake(host, proxy, error)
    root, first = found.chain[-1], found.presented[0]
    public, origins = roots.public(root.sha256), roots.origins(root.sha256)
    who = f"{name(first.issuer)} issued it"
    if not public:
        who = f"the private CA {who}"
    if not public and not host.sited:
        who = f"an interceptor sits in between, unless the server is your own: {who}"
    where = " and ".join(str(origin) for origin in origins[:2]) or "the merged bundle"
    message = f"{who}; trusted by {name(root.subject)} of {where}; valid until {first.not_after:%Y-%m-%d}"
    if "registry" in kinds and any(origin.what == "CA_BUNDLE" for origin in origins):
        message += f"; the engine's own pulls want the CA as {engine_ca_file(host.subject)}"
    figures = {
        **_figures(found.presented),
        "trusted": True,
        "root": root.document(),
        "root_files": [str(origin.file) for origin in origins],
        "public": public,
        "interceptor": not public and not host.sited,
    }
    return Diagnosis(check=NAME, subject=host.subject, state="good", message=message, figures=figures)


def _figures(chain: Sequence[Certificate]) -> dict[str, Any]:
    return {"chain": [one.document() for one in chain], "issuer": chain[0].issuer if chain else ""}


def _plain(host: Server, kinds: AbstractSet[Kind]) -> Diagnosis:
    """No TLS at all, which only a signed archive does without."""
    message, fix = "plain http: the archive's signatures, not TLS, protect what it serves", ""
    if host.name in _LOOPBACK:
        message = "plain http that does not leave this machine"
    elif kinds - {"archive"}:
        message = "plain http: nothing protects what it says while locking"
        fix = "name its https address, or a mirror that has one"
    figures: dict[str, Any] = {"chain": [], "trusted": None}
    state: State = "bad" if fix else "good"
    return Diagnosis(check=NAME, subject=host.subject, state=state, message=message, fix=fix, figures=figures)


def _untrusted(
    host: Server, error: ssl.SSLCertVerificationError, settings: Settings, kinds: AbstractSet[Kind]
) -> Diagnosis:
    try:
        chain = presented(host.name, host.port, settings)
    except SurroundingsError:
        chain = []
    unknown = error.verify_code in _UNKNOWN_ISSUER
    told = fault(chain, host.name) or error.verify_message
    message = f"not trusted ({error.verify_message}): {told}"
    figures: dict[str, Any] = {**_figures(chain), "trusted": False, "verify_code": error.verify_code}
    if unknown and chain:
        top = chain[-1]
        private = top.self_issued or len(chain) > 1
        figures |= {"public": False if private else None, "interceptor": (not host.sited) if private else None}
        figures["untrusted_top"] = top.pem
        if figures["interceptor"]:
            message += (
                "; this is none of the public roots: an interceptor sits in between, unless the server is your own"
            )
        message += f"; sha256 of {name(top.subject)}: {top.sha256}"
    return Diagnosis(
        check=NAME,
        subject=host.subject,
        state="bad",
        message=message,
        fix=_fix(host, error.verify_code, chain, kinds),
        figures=figures,
    )


def _fix(host: Server, code: int, chain: Sequence[Certificate], kinds: AbstractSet[Kind]) -> str:
    now = f"{datetime.now(timezone.utc):%Y-%m-%d %H:%M} UTC"
    if code in _NOT_YET_VALID:
        return f"set this machine's clock: it says {now}"
    if code in _EXPIRED:
        return f"have the server's owner renew the certificate, or set this machine's clock, which says {now}"
    if code in _WRONG_HOST:
        return f"use a name that the certificate is for, or find out why the name {host.name} leads to another server"
    if code not in _UNKNOWN_ISSUER or not chain:
        return "ask the server's owner; the certificate cannot be used as it is"
    first, top = chain[0], chain[-1]
    root = name(top.subject if top.self_issued else top.issuer)
    fix = (
        f"export CA_BUNDLE=FILE, the issuer is {name(first.issuer)}: ask your administrator for the certificate of "
        f"{root} in PEM (--save-root FILE saves the one presented, to show to them)"
    )
    if len(chain) == 1 and not first.self_issued:
        fix += f"; or have the server send its intermediate certificate {name(first.issuer)}"
    if "registry" in kinds:
        fix += f"; the engine wants it as {engine_ca_file(host.subject)} too"
    return fix


def _no_handshake(host: Server, proxy: Proxy | None, error: Exception) -> Diagnosis:
    """The connection or the handshake failed before any certificate was judged."""
    text = str(getattr(error, "strerror", None) or error or type(error).__name__)
    way = f"the proxy {proxy}" if proxy else host.subject
    if text.startswith("Tunnel connection failed"):
        problem = f"{way} does not let us through:{text.removeprefix('Tunnel connection failed:')}"
        fix = "put user and password into https_proxy" if " 407" in text else "ask for the host to be allowed there"
    elif isinstance(error, ConnectionRefusedError):
        problem = f"{way} refuses the connection"
        fix = "correct https_proxy" if proxy else "check the address; where only a proxy leads out, export https_proxy"
    elif isinstance(error, TimeoutError):
        problem = f"{way} does not answer in time"
        fix = "check the firewall; where only a proxy leads out, export https_proxy=http://HOST:PORT"
    elif isinstance(error, ssl.SSLError):
        problem = f"the TLS handshake fails: {getattr(error, 'reason', None) or text}"
        fix = "check that the port speaks TLS; where the server wants a client certificate, set client-certificates"
    else:
        problem, fix = f"no connection: {text}", "check the network and the proxy"
    return Diagnosis(
        check=NAME, subject=host.subject, state="bad", message=problem, fix=fix, figures={"chain": [], "trusted": None}
    )
