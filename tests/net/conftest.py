"""What the tests of this room share: an authority of our own, its TLS contexts, and an environment of no one's."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
import trustme

from builder.settings import Settings

MakeSettings = Callable[..., Settings]


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def tls(authority: trustme.CA) -> ssl.SSLContext:
    """A server's context with a good certificate for localhost."""
    return server_context(authority.issue_cert("localhost", "other.localhost"))


def server_context(leaf: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    leaf.configure_cert(context)
    return context


@pytest.fixture
def make_settings(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeSettings:
    """Settings that trust the authority (or what is given), in an environment without proxies and logins."""
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))

    def make(**keys: object) -> Settings:
        given = {"home": tmp_path / "home", "stacks": (), "ca_bundle": (tmp_path / "ca.pem",), **keys}
        return Settings(**given)  # type: ignore[arg-type]

    return make
