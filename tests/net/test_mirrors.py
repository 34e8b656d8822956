"""Mirrors: the next one serves where one has not the file or does not answer, and that is said."""

from __future__ import annotations

import socket

import pytest
import trustme

from builder.errors import JobError, SurroundingsError
from builder.net.index import find_links, links
from builder.net.session import Session
from tests.net.conftest import server_context
from tests.net.web import web

PAGE = b'<a href="demo-1.0.tar.gz">demo</a>'


@pytest.fixture
def deaf():
    """An address at which nothing listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"https://localhost:{held.getsockname()[1]}"


@pytest.mark.parametrize("status", [404, 403, 503])
def test_the_next_mirror_serves_what_the_first_refuses(tls, make_settings, status):
    said: list[str] = []
    with web(tls) as first, web(tls) as second:
        first.answers["/py/demo/"] = (status, {"Retry-After": "0"}, b"")
        second.answers["/simple/demo/"] = (200, {"Content-Type": "text/html"}, PAGE)
        settings = make_settings(rewrites={"https://index.example": (f"{first.url}/py", f"{second.url}/simple")})
        with Session(settings, warn=said.append) as session:
            found = links(session, "https://index.example", "demo")
        assert found["demo-1.0.tar.gz"].url == f"{second.url}/simple/demo/demo-1.0.tar.gz"
        assert first.seen, "the first is asked first"
    assert [text for text in said if first.host in text and str(status) in text] == said
    assert len(said) == 1


def test_a_mirror_that_does_not_answer_is_asked_last_from_then_on(tls, make_settings, deaf):
    said: list[str] = []
    with web(tls) as second:
        for number in range(3):
            second.answers[f"/{number}"] = (200, {}, PAGE)
        with Session(make_settings(rewrites={"https://a.example": (deaf, second.url)}), warn=said.append) as session:
            for number in range(3):
                assert find_links(session, f"https://a.example/{number}")
    assert len(said) == 1
    assert "refuses the connection" in said[0]


def test_when_all_fail_each_is_named(tls, make_settings, deaf):
    with web(tls) as last, Session(make_settings(rewrites={"https://a.example": (deaf, last.url)})) as session:
        with pytest.raises(JobError, match="404") as caught:
            session.get_text("https://a.example/x", "*/*")
        assert caught.value.where == f"{last.url}/x"
        assert f"{deaf}/x: localhost refuses the connection" in caught.value.why


def test_a_mirror_that_is_not_trusted_is_passed_over_and_never_read(tls, make_settings):
    stranger = server_context(trustme.CA().issue_cert("localhost"))
    with web(stranger) as first, web(tls) as second:
        second.answers["/x"] = (200, {}, b"here")
        with Session(make_settings(rewrites={"https://a.example": (first.url, second.url)})) as session:
            assert session.get_text("https://a.example/x", "*/*")[0] == "here"
        alone = make_settings(rewrites={"https://a.example": (first.url,)})
        with Session(alone) as session, pytest.raises(SurroundingsError, match="not trusted"):
            session.get_text("https://a.example/x", "*/*")
        assert first.seen == []
