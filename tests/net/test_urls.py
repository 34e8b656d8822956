"""What of an address may be shown: never a secret, and of an honest one enough to know it."""

from __future__ import annotations

from pathlib import Path

import pytest

from builder.doctor.in_force import in_force
from builder.doctor.proxy import shown
from builder.net.urls import clean_text, clean_url
from builder.settings import Settings

_SECRETS = [
    "https://user:Se-cret@host.example/simple",
    "https://user:Se/cret@host.example/simple",
    "https://user:Se-c/r/e/t@host.example:8443/simple",
    "https://user:1234/Se-cret@host.example/simple",
    "https://user:Se?cret@host.example/simple",
    "https://user:Se#cret@host.example/simple",
    "https://user:?#/Se-cret@host.example/simple",
    "https://user:Se@cret@host.example/simple",
    "https://user:Se\\cret@host.example/simple",
    "https://user:[Se-cret@host.example/simple",
    "https://Se-cret@host.example/simple",
    "https://Se/cret@host.example/simple",
    "https://host.example/simple;token=Se-cret",
    "https://host.example/simple;token=Se-cret/more;v=cret",
    "https://host.example/simple;Se-cret?x",
    "https://host.example/simple?token=Se-cret",
    "https://host.example/simple#Se-cret",
    "https://host.example:8443/simple?sig=a@Se-cret",
    "HTTPS://user:Se/cret@host.example/simple",
    "socks5h://user:Se/cret@host.example:1080",
    "ftp://user:Se?cret@host.example/",
    "https://user:Se-cret@[::1]:8443/simple",
    "https://user:Se-cret@[bad/simple",
]


@pytest.mark.parametrize("url", _SECRETS)
def test_no_secret_of_an_address_is_shown(url: str) -> None:
    for text in (clean_url(url), clean_text(f"fatal: unable to access '{url}': no"), clean_text(f"at {url}")):
        assert not {part for part in ("Se-c", "cret") if part in text}, text
        assert "://" in text


@pytest.mark.parametrize("url", [url for url in _SECRETS if ";" not in url and "sig" not in url])
def test_no_secret_of_a_proxy_is_shown(url: str) -> None:
    for value in (url, url.partition("://")[2]):
        text = shown(value.partition("#")[0] if "@" not in value else value)
        assert "cret" not in text and "Se-c" not in text, text


@pytest.mark.parametrize("url", _SECRETS)
def test_no_secret_of_a_setting_is_shown(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_DEFAULT_INDEX", url)
    monkeypatch.setenv("HF_ENDPOINT", url)
    rows = in_force(Settings(home=Path("/nonexistent"), stacks=(), rewrites={url: (url,)}, built=url, engine=url))
    text = repr([row.document() for row in rows])
    assert "cret" not in text and "Se-c" not in text


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://host.example/simple/a/", "https://host.example/simple/a/"),
        ("https://host.example:8443/simple", "https://host.example:8443/simple"),
        ("https://localhost:8443/a?b=c", "https://localhost:8443/a?…"),
        ("https://[::1]:8443/a", "https://[::1]:8443/a"),
        ("https://host.example/@scope/name", "https://host.example/@scope/name"),
        ("https://localhost/a@b", "https://localhost/a@b"),
        ("https://nexus/simple", "https://nexus/simple"),
        ("https://u:p@nexus:8443/simple", "https://nexus:8443/simple"),
        ("https://host.example/a;b=c/d", "https://host.example/a;…/d"),
        ("no address", "no address"),
        ("", ""),
    ],
)
def test_an_honest_address_stays_one(url: str, expected: str) -> None:
    assert clean_url(url) == expected
    assert clean_text(f"say '{url}' now") == f"say '{expected}' now"


def test_a_text_keeps_all_but_its_addresses() -> None:
    text = "E: Failed to fetch http://u:p@deb.example/pool/a.deb  404  Not Found [IP: 127.0.0.1 80] user@host"
    assert clean_text(text) == text.replace("u:p@", "")
