"""The proxy that the environment names for an address, without its user and password."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Proxy:
    """host, port: of the proxy itself."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"


def proxy_of(url: str) -> Proxy | None:
    """The proxy in use for an address, as requests chooses it (http_proxy, https_proxy, all_proxy, no_proxy)."""
    from requests.utils import get_environ_proxies, select_proxy  # noqa: PLC0415

    chosen = select_proxy(url, get_environ_proxies(url))
    if not chosen:
        return None
    parts = urlsplit(chosen if "://" in chosen else f"http://{chosen}")
    return Proxy(parts.hostname, parts.port or 80) if parts.hostname else None


def shown(value: str) -> str:
    """A proxy variable's value as it may be shown: host and port."""
    return re.split(r"[/?#;]", value.rpartition("://")[2].rpartition("@")[2])[0]
