"""How a registry's host is spoken to."""

from __future__ import annotations

import ipaddress
import socket
import ssl
from urllib.parse import urlsplit

from builder.net.session import Session


def is_loopback(url: str) -> bool:
    """Whether an address leads to this machine itself."""
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def scheme(host: str, session: Session) -> str:
    """Registries are asked over https; those on loopback that do not speak it over http, as Docker Engine does."""
    if not is_loopback(f"//{host}"):
        return "https"
    parts = urlsplit(f"//{host}")
    context = ssl.create_default_context(cafile=str(session.ca_bundle))
    try:
        with socket.create_connection((str(parts.hostname), parts.port or 443), timeout=10) as plain:
            context.wrap_socket(plain, server_hostname=parts.hostname).close()
    except ssl.SSLCertVerificationError:
        return "https"
    except ssl.SSLError:
        return "http"
    except OSError:
        return "https"
    return "https"
