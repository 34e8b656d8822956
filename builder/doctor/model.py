"""What a doctor looks at and what it gives back. No IO here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlsplit

State = Literal["good", "bad", "unknown", "note"]
Kind = Literal["index", "page", "files", "archive", "git", "weights", "registry", "tokens"]
_PORTS = {"https": 443, "http": 80, "ssh": 22}


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """One thing a check found.

    check: the check's name. subject: what it looked at (a host). state: "unknown" where it could not look, "note" for
    what is worth knowing and not bad by itself. message: what is so. fix: the one thing to do, "" where there is
    nothing to do. figures: JSON-ready details.
    """

    check: str
    subject: str
    state: State
    message: str
    fix: str = ""
    figures: Mapping[str, Any] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """The diagnosis as a JSON-ready mapping."""
        return {**vars(self), "figures": dict(self.figures)}


@dataclass(frozen=True, kw_only=True)
class Need:
    """An address that something needs.

    label: for whom, in words. name: what exactly, "" where the label says it. sited: the site's own settings name its
    host.
    """

    url: str
    kind: Kind
    label: str
    name: str = ""
    sited: bool = False


@dataclass(frozen=True, kw_only=True)
class Server:
    """One server. name: host name or address, without brackets."""

    scheme: str
    name: str
    port: int
    sited: bool

    @property
    def subject(self) -> str:
        """The host as it is shown: with its port where it is not the scheme's own."""
        shown = f"[{self.name}]" if ":" in self.name else self.name
        return shown if self.port == _PORTS[self.scheme] else f"{shown}:{self.port}"

    @property
    def url(self) -> str:
        """The address of its root."""
        return f"{self.scheme}://{self.subject}/"


def host_of(need: Need) -> Server | None:
    """The server of a need; None for an address that is not http(s), or whose host could not be shown."""
    try:
        parts = urlsplit(need.url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in _PORTS or not re.fullmatch(r"[\w.:%-]+", parts.hostname or ""):
        return None
    return Server(scheme=parts.scheme, name=str(parts.hostname), port=port or _PORTS[parts.scheme], sited=need.sited)
