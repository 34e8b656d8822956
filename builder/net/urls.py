"""Addresses as text: what of them may be shown, and how a path stands in one."""

from __future__ import annotations

import re
from urllib.parse import quote, urlsplit, urlunsplit

# The length of a scheme is bounded, or a long word would be gone through from each of its letters.
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,20}://[^\s\x00-\x1f\x7f'\"<>]+")


def clean_url(url: str) -> str:
    """The address as it may be shown: no user, no password, no query values, no fragment, no control characters.

    Nothing after `//` is shown where a login seems to have been cut by a `/`, `?` or `#` in its password. The values
    of path parameters (`;token=…`) are left out too.
    """
    try:
        parts = urlsplit(url)
        cut = "@" not in parts.netloc and "@" in url and _login_like(parts.netloc)
    except ValueError:
        return f"{url.partition('://')[0]}://…" if "://" in url else "…"
    if cut:
        return f"{parts.scheme}://…"
    path = re.sub(r";[^/]*", ";…", parts.path)
    shown = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], path, "…" if parts.query else "", ""))
    return re.sub(r"[\x00-\x1f\x7f-\x9f]", "?", shown)


def _login_like(host: str) -> bool:
    """Whether what stands before the first `/` may be the beginning of a login, as no `@` is in it but later."""
    name, colon, _ = host.partition(":")
    return bool(colon) or ("." not in name and name != "localhost")


def clean_text(text: str) -> str:
    """A text, such as the last words of git or apt, with every address in it as it may be shown."""
    return _ADDRESS.sub(lambda found: clean_url(found[0]), text)


def quoted(path: str) -> str:
    """A path of plain text as it stands in an address."""
    return quote(path, safe="/+~:=@")


def without_login(url: str) -> str:
    """The address without user and password."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
