"""The links of a page: read as browsers do, in work that grows as the page does."""

from __future__ import annotations

import time

import pytest

from builder.net.anchors import LONGEST, tags
from builder.net.headers import decoded
from builder.net.index import find_links, links
from builder.net.session import Session
from tests.net.conftest import MakeSettings
from tests.net.test_index import Page
from tests.net.web import web

_SIZE = 1_000_000
_SHAPES = {
    "open tags": "<a ",
    "open quotes": '<a href="',
    "odd quotes": "<a href='\"",
    "open comments": "<!--",
    "open declarations": "<!",
    "open instructions": "<?",
    "open cdata": "<![CDATA[",
    "open ends": "</a",
    "open scripts": "<script>",
    "open titles": "<title></title",
    "nothing but <": "<",
    "nothing but zero": "\0",
    "doctypes": "<!DOCTYPE ",
    "names of attributes": "x ",
    "nothing but =": "=",
    "spaces": " ",
    "slashes": "/",
    "references": "&#",
    "short links": "<a href=x.whl>",
    "bases": "<base href=/x/>",
}


@pytest.mark.parametrize("start", ["", "<a ", '<a href="', "<a href=", "<!--", "<script>"])
@pytest.mark.parametrize("shape", _SHAPES)
def test_a_broken_page_of_a_megabyte_takes_seconds(shape: str, start: str) -> None:
    text = start + _SHAPES[shape] * (_SIZE // len(_SHAPES[shape]))
    began = time.process_time()
    find_links(Page(text), "https://index.example/")
    assert time.process_time() - began < 15  # some 2 s here; the parser before this one did not end in 100


@pytest.mark.parametrize("length", [LONGEST - 40, 10 * LONGEST])
def test_a_long_base_under_many_links_takes_seconds(length: int) -> None:
    text = f'<base href="https://files.example/{"a" * length}/">' + "<a href=x.whl>" * 60_000
    began = time.process_time()
    find_links(Page(text), "https://index.example/")
    assert time.process_time() - began < 15


def test_a_number_of_too_many_digits_is_no_link() -> None:
    text = f'<a href="x-1.whl&#{"1" * 7000};">x</a><a href="x-2.whl">x</a>'
    assert list(find_links(Page(text), "https://index.example/")) == ["x-2.whl"]


def test_an_address_longer_than_any_server_takes_is_no_link() -> None:
    text = f'<a href="{"a/" * LONGEST}x-1.whl">x</a><a href="x-2.whl">x</a>'
    assert list(find_links(Page(text), "https://index.example/")) == ["x-2.whl"]
    rows = ",".join(f'{{"url": "{url}", "filename": "x-1.whl", "hashes": {{}}}}' for url in ["a/" * LONGEST + "x"])
    document = f'{{"meta": {{"api-version": "1.0"}}, "files": [{rows}]}}'
    assert links(Page(document, "application/json"), "https://index.example/", "x") == {}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<A HREF='x'>", [{"href": "x"}]),
        ("<a\nhref = x\tclass=y>", [{"href": "x", "class": "y"}]),
        ('<a href="a>b"title=\'"\'>', [{"href": "a>b", "title": '"'}]),
        ("<a href=x/y/>", [{"href": "x/y/"}]),
        ("<a/href=x>", [{"href": "x"}]),
        ("<a data-yanked href=x>", [{"data-yanked": "", "href": "x"}]),
        ("<a href=first href=second>", [{"href": "first"}]),
        ('<a href="a&amp;b&#43;c">', [{"href": "a&b+c"}]),
        ("<a href>", [{"href": ""}]),
        ('<a href="">', [{"href": ""}]),
        ("<a =x>", [{"=x": ""}]),
        ("<a><a>", [{}, {}]),
        ("<abbr href=x><a-b href=x><an>", []),
        ("<!-- <a href=x> --><a href=y>", [{"href": "y"}]),
        ("<!--><a href=y>", [{"href": "y"}]),
        ("<script>'<a href=x>'</script ><a href=y>", [{"href": "y"}]),
        ("<STYLE></styles></style><a href=y>", [{"href": "y"}]),
        ("<title>a <a href=x></title><a href=y>", [{"href": "y"}]),
        ("< a href=x>", []),
        ("</a href=x>", []),
        ("<a href='x", []),
        ("<a href=x", []),
        ("<!-- <a href=x>", []),
    ],
)
def test_a_tag_is_read_as_browsers_read_it(text: str, expected: list[dict[str, str]]) -> None:
    assert [attributes for _, attributes in tags(text)] == expected


def test_the_first_base_counts_and_one_to_plain_http_does_not() -> None:
    text = (
        '<base href="http://plain.example/"><base href="//[bad/"><base href="/one/"><base href="/two/"><a href=x.whl>'
    )
    found = find_links(Page(text), "https://index.example/")
    assert found["x.whl"].url == "https://index.example/one/x.whl"


@pytest.mark.parametrize(
    "charset",
    [
        "undefined",
        "idna",
        "punycode",
        "unicode_escape",
        "raw_unicode_escape",
        "hex",
        "base64",
        "zlib",
        "utf-7",
        "\0",
        "x",
    ],
)
def test_an_odd_charset_is_read_as_utf8(charset: str) -> None:
    assert decoded("é\\x41".encode(), charset) == "é\\x41"


@pytest.mark.parametrize(("charset", "data"), [("ISO-8859-1", b"\xe9"), (None, b"\xc3\xa9"), ("utf-8", b"\xc3\xa9")])
def test_a_usual_charset_is_obeyed(charset: str | None, data: bytes) -> None:
    assert decoded(data, charset) == "é"


def test_a_server_with_an_odd_charset_is_understood(make_settings: MakeSettings) -> None:
    with web() as site, Session(make_settings()) as session:
        site.answers["/page"] = (200, {"Content-Type": "text/html; charset=punycode"}, b"<a href=x.whl>")
        assert list(find_links(session, f"{site.url}/page")) == ["x.whl"]
