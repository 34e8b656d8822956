"""Index pages as servers really write them, and where the default index comes from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from builder.errors import JobError
from builder.net.index import default_index, find_links, links
from builder.net.session import Session
from builder.settings import Settings

_A, _B = "a" * 64, "b" * 64


class Page(Session):
    """Stands where a server would: gives one page to any request and keeps the address asked for."""

    def __init__(self, text: str, kind: str = "", final: str = "https://index.example/simple/demo/") -> None:
        self.answer, self.asked, self.accept = (text, kind, final), "", ""

    def get_text(self, url: str, accept: str) -> tuple[str, str, str]:
        self.asked, self.accept = url, accept
        return self.answer


def test_html_without_content_type():
    page = Page(
        f'<!DOCTYPE html><a href="../../f/demo-1.0-py3-none-any.whl#sha256={_A}" data-yanked="broken">x</a>'
        f'<a href="https://files.example/demo-1%2B2.tar.gz#md5=12&amp;sha256={_B.upper()}">x</a>'
        '<a href="//cdn.example/demo-2.zip">demo</a>'
    )
    found = links(page, "https://index.example/simple/", "De.Mo_x")
    assert page.asked == "https://index.example/simple/de-mo-x/"
    assert page.accept.startswith("application/vnd.pypi.simple.v1+json, ")
    first, second, third = found.values()
    assert (first.url, first.sha256) == ("https://index.example/f/demo-1.0-py3-none-any.whl", _A)
    assert (first.yanked, first.size) == (True, None)
    assert (second.filename, second.sha256, second.yanked) == ("demo-1+2.tar.gz", _B, False)
    assert (third.url, third.sha256) == ("https://cdn.example/demo-2.zip", None)


@pytest.mark.parametrize("kind", ["application/vnd.pypi.simple.v1+json", "application/json", ""])
def test_json_by_content_type_and_without(kind):
    file = {"filename": "demo-1.0.tar.gz", "url": "../f/x", "hashes": {"sha256": _A}, "size": 7, "yanked": "why"}
    page = Page(json.dumps({"meta": {"api-version": "1.4"}, "files": [file]}), kind)
    link = links(page, "https://index.example/simple", "demo")["demo-1.0.tar.gz"]
    assert (link.url, link.sha256, link.size, link.yanked) == ("https://index.example/simple/f/x", _A, 7, True)


def test_base_and_a_page_of_links():
    page = Page('<base href="/dist/"><a href="demo-1.0.whl">x</a><a href="../">up</a>', final="https://l.example/a/b")
    assert find_links(page, "https://l.example/start")["demo-1.0.whl"].url == "https://l.example/dist/demo-1.0.whl"


@pytest.mark.parametrize(
    "href",
    [
        "file:///etc/x.whl",
        "javascript:x.whl",
        "http://plain.example/x.whl",
        "..%2F..%2Fx.whl",
        "a/..whl",
        "x..y.whl",
        ".x.whl",
        "x%0A.whl",
        "https://[bad/x.whl",
        "x.exe",
    ],
)
def test_hostile_links_are_left_out(href):
    html = Page(f'<a href="{href}">x</a>')
    assert links(html, "https://index.example/simple", "demo") == {}
    file = {"filename": href, "url": "https://files.example/x", "hashes": {}}
    assert links(Page(json.dumps({"meta": {"api-version": "1.0"}, "files": [file]})), "https://i.example", "x") == {}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "not PEP 691 JSON"),
        ('{"meta": {"api-version": "2.0"}, "files": []}', "version 2.0"),
        ('{"meta": {"api-version": "1.0"}, "files": [1]}', "not PEP 691 JSON"),
        ("[" * 100_000, "not PEP 691 JSON"),
    ],
)
def test_pages_that_cannot_be_understood_are_named(text, says):
    with pytest.raises(JobError, match=says) as caught:
        links(Page(text, "application/json"), "https://index.example/simple", "demo")
    assert caught.value.where == "https://index.example/simple/demo/"


def _settings(index: str = "") -> Settings:
    return Settings(home=Path("/nonexistent"), stacks=(), index=index)


@pytest.fixture
def bare(monkeypatch, tmp_path):
    """An environment and a home that configure no index."""
    for name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL", "PIP_CONFIG_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    return tmp_path


def test_the_default_index_is_the_one_nearest_to_the_user(bare, monkeypatch):
    (bare / "pip").mkdir()
    (bare / "pip" / "pip.conf").write_text("[global]\nindex-url = https://conf.example/simple/\n")
    assert default_index(_settings()) == "https://conf.example/simple"
    monkeypatch.setenv("PIP_INDEX_URL", "https://pip.example/simple")
    monkeypatch.setenv("UV_DEFAULT_INDEX", "https://uv.example/simple")
    assert default_index(_settings()) == "https://uv.example/simple"
    assert default_index(_settings("https://given.example/simple/")) == "https://given.example/simple"


def test_without_configuration_it_is_the_one_uv_documents(bare, monkeypatch):
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    assert default_index(_settings()).startswith("https://")
    assert default_index(_settings()).endswith("/simple")
