"""What makes apt sign in at the site's mirrors: lines of its configuration, and a netrc file of its own."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from urllib.parse import unquote, urlsplit

from builder.files import write_atomic
from builder.net.client import basic
from builder.settings import Settings


def apt_logins(mirrors: Iterable[str], folder: Path, settings: Settings) -> str:
    """Lines for apt.conf; tokens go to folder/auth.conf, readable by its owner only.

    A login in an address goes there too, as apt repeats its addresses in what it says. apt speaks Basic only: a bearer
    token is sent as the password of the user `__token__`. The host's /etc/apt/auth.conf.d holds still.
    """
    lines, machines = [], []
    for url in mirrors:
        host = urlsplit(url).netloc.rpartition("@")[2]
        if files := settings.client_certificate(url):
            lines += [
                f'Acquire::https::{host}::SslCert "{files.cert}";',
                f'Acquire::https::{host}::SslKey "{files.key}";',
            ]
        if login := basic(url, settings) or _given(url):
            machines.append(f"machine {urlsplit(url).scheme}://{host} login {login[0]} password {login[1]}\n")
    if machines:
        write_atomic(folder / "auth.conf", "".join(machines), mode=0o600)
        lines.append(f'Dir::Etc::netrc "{folder / "auth.conf"}";')
    return "".join(f"{line}\n" for line in lines)


def _given(url: str) -> tuple[str, str] | None:
    """User and password of an address itself."""
    parts = urlsplit(url)
    return (unquote(parts.username), unquote(parts.password or "")) if parts.username else None
