"""A TLS handshake that is verified, and the chain that the verification found."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from typing import Any

from builder.net.chain import Certificate, connection_to, facts


@dataclass(frozen=True)
class Verified:
    """presented: the chain as the server sent it. chain: from the server's certificate to the trusted root."""

    presented: list[Certificate]
    chain: list[Certificate]


def trusting(bundle: str) -> ssl.SSLContext:
    """The context that requests uses, with the certificates of one PEM file as roots."""
    from urllib3.util.ssl_ import create_urllib3_context  # noqa: PLC0415

    context = create_urllib3_context()
    context.load_verify_locations(bundle)
    return context


def verified(host: str, port: int, context: ssl.SSLContext, seconds: float) -> Verified:
    """Connect as a client that verifies, through the proxy that holds for the host, and hang up.

    seconds: time-out of the connection and of each step of the handshake. Raises
    ssl.SSLCertVerificationError where the chain is not trusted, another OSError or
    http.client.HTTPException where no handshake comes about.
    """
    opened = connection_to(host, port, context)
    opened.timeout = seconds
    try:
        opened.connect()
        return Verified(_chain(opened.sock, "get_unverified_chain"), _chain(opened.sock, "get_verified_chain"))
    finally:
        opened.close()


def _chain(sock: Any, how: str) -> list[Certificate]:  # noqa: ANN401
    """One of the two chains; Python before 3.13 has them on an inner object only."""
    if hasattr(sock, how):
        return [facts(der) for der in getattr(sock, how)()]
    return [facts(ssl.PEM_cert_to_DER_cert(one.public_bytes())) for one in getattr(sock._sslobj, how)() or []]
