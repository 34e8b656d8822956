"""What makes uv obey the site's trust, logins and index mirrors; all of it by its environment, never its arguments."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

from builder.files import write_atomic
from builder.net.client import basic
from builder.net.tls import ca_bundle
from builder.settings import Settings

_KEPT = ("UV_CACHE_DIR", "UV_HTTP_TIMEOUT", "UV_HTTP_RETRIES")


def environment(default: str, named: Mapping[str, str], folder: Path, settings: Settings) -> dict[str, str]:
    """The environment for one run of uv.

    default: address of the default index. named: addresses of other indexes by name. folder: a private
    one of this run, where a client certificate and its key are joined (uv takes one file for all hosts), and for what
    uv leaves in its temporary folder.
    A bearer token is sent as the password of the user `__token__`, as uv speaks Basic only.
    """
    found = {key: value for key, value in os.environ.items() if not key.startswith("UV_") or key in _KEPT}
    found["UV_DEFAULT_INDEX"] = _signed(default, settings)  # not on the command line: it may hold a password
    found["TMPDIR"] = str(folder)
    found["UV_PYTHON_DOWNLOADS"] = "never"  # a stack's Python need not be on the host, and uv would fetch it
    found["SSL_CERT_FILE"] = str(ca_bundle(settings))
    found.pop("SSL_CERT_DIR", None)  # uv would add to it what is not in the bundle
    found.setdefault("UV_HTTP_TIMEOUT", str(max(1, round(settings.read_timeout))))
    for name, url in named.items():
        if login := basic(url, settings):
            key = "".join(letter if letter.isalnum() else "_" for letter in name.upper())
            found[f"UV_INDEX_{key}_USERNAME"], found[f"UV_INDEX_{key}_PASSWORD"] = login
    for url in (default, *named.values()):
        if files := settings.client_certificate(url):
            joined = folder / "client.pem"
            write_atomic(joined, files.cert.read_bytes() + b"\n" + files.key.read_bytes(), mode=0o600)
            found["SSL_CLIENT_CERT"] = str(joined)
            break
    return found


def _signed(url: str, settings: Settings) -> str:
    """The address with the login of its host, if it has one."""
    login = basic(url, settings)
    if login is None:
        return url
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{quote(login[0], safe='')}:{quote(login[1], safe='')}@{host}"))
