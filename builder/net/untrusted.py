"""What to tell a user whose client does not trust a server: what its certificate says, and the one thing to do."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from builder.errors import SurroundingsError
from builder.net.chain import Certificate, fault, name, presented
from builder.net.urls import clean_url
from builder.settings import Settings


def untrusted(url: str, said: str, settings: Settings, *, at: str = "") -> SurroundingsError:
    """The error for an address whose server is not trusted, naming who issued the certificate it presents.

    said: the client's own reason. at: the address that was not trusted, where a redirect led there.
    """
    parts = urlsplit(at or url)
    host = parts.hostname or ""
    try:
        chain = presented(host, parts.port or 443, settings)
    except SurroundingsError:
        chain = []
    why = "; ".join(text for text in (said, fault(chain, host)) if text)
    return SurroundingsError(
        f"the certificate of {host} is not trusted", where=clean_url(url), why=why, fix=_fix(why, chain)
    )


def _fix(said: str, chain: list[Certificate]) -> str:
    if re.search("expired", said, re.I):
        return "have the server's owner renew it, or set this machine's clock"
    if re.search("not yet valid|not valid before|NotValidYet", said):
        return "set this machine's clock"
    if "mismatch" in said.lower() or "not valid for" in said:
        return "use the name that the certificate is for"
    if not chain:
        return "export CA_BUNDLE=FILE, your site's root certificate; it adds to the public roots"
    root = chain[-1].subject if chain[-1].self_issued else chain[-1].issuer
    fix = f"export CA_BUNDLE=FILE, the certificate of {name(root)} from your administrator; it adds to the public roots"
    if not chain[-1].self_issued and not chain[0].self_issued:
        fix += "; or have the server send its intermediate certificates"
    return fix
