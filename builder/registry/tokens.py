"""Tokens as registries hand them out: what a challenge asks for, and what a token server answers. No IO here.

Source: docker's distribution documentation, "Token Authentication Specification".
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from builder.errors import JobError
from builder.net.urls import clean_url
from builder.registry.hosts import is_loopback

_SECONDS = 60.0  # how long a token lasts that does not tell, as the specification has it
_USED = 0.8  # of that time


@dataclass(frozen=True)
class Challenge:
    """Where tokens are to be had. realm: the server's address. asked: what it has to be told beside the scope."""

    realm: str
    asked: Mapping[str, str]

    def url(self, scopes: Sequence[str]) -> str:
        """The address of a token for these scopes."""
        query = urlencode([*self.asked.items(), *(("scope", one) for one in scopes)])
        return f"{self.realm}{'&' if '?' in self.realm else '?'}{query}"


@dataclass(frozen=True)
class Token:
    """A token, and the seconds that it is used for."""

    value: str
    seconds: float


def challenge(header: str, root: str) -> Challenge | None:
    """What a WWW-Authenticate header asks for; None where it is no token. root: the registry's own address.

    Raises JobError for a token server that a login would reach without TLS.
    """
    if not header.lower().startswith("bearer "):
        return None
    said = dict(re.findall(r'(\w+)="([^"]*)"', header))
    realm = said.get("realm", "")
    if not realm.startswith("https://") and not (root.startswith("http://") and is_loopback(realm)):
        fix = "use a mirror of the image, or ask the registry's owner"
        raise JobError("the registry's token server is not at an https address", where=root, fix=fix)
    return Challenge(realm, {"service": said["service"]} if "service" in said else {})


def token(document: Mapping[str, Any], realm: str) -> Token:
    """The token in a token server's answer. Raises JobError where there is none."""
    value = document.get("token") or document.get("access_token")
    if not re.fullmatch(r"[\x21-\x7e]+", str(value or "")):
        raise JobError("the registry's token server sent no token", where=clean_url(realm))
    seconds = document.get("expires_in")
    lasts = float(seconds) if isinstance(seconds, (int, float)) and seconds > 0 else _SECONDS
    return Token(str(value), lasts * _USED)
