"""Addresses as text: what of them may be shown, and how a path stands in one."""

from __future__ import annotations

import re
from urllib.parse import quote, urlsplit, urlunsplit


def clean_url(url: str) -> str:
    """The address as it may be shown: no user, no password, no query values, no fragment, no control characters."""
    parts = urlsplit(url)
    shown = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "…" if parts.query else "", ""))
    return re.sub(r"[\x00-\x1f\x7f]", "?", shown)


def quoted(path: str) -> str:
    """A path of plain text as it stands in an address."""
    return quote(path, safe="/+~:=@")


def without_login(url: str) -> str:
    """The address without user and password."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
