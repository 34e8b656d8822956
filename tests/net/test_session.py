"""Requests: retries, errors that say what to do, and no credential in any of them."""

from __future__ import annotations

import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

import builder
from builder.errors import InputError, JobError, SurroundingsError
from builder.net import Stopped
from builder.net.session import Session, clean_url
from builder.settings import Settings


class Handler(BaseHTTPRequestHandler):
    """Answers by path; keeps what it was asked."""

    seen: list[tuple[str, str, dict[str, str]]]

    def log_message(self, *_):
        pass

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        self.seen.append((self.command, self.path, dict(self.headers)))
        status = {"/gone": 404, "/secret": 401, "/down": 500}.get(self.path, 200)
        if self.path == "/once" and len(self.seen) == 1:
            status = 503
        if self.path == "/no-head" and self.command == "HEAD":
            status = 405
        body = b"<p>caf\xc3\xa9</p>"
        if self.path == "/no-head" and self.headers.get("Range") == "bytes=0-0":
            self.send_response(206)
            self.send_header("Content-Range", f"bytes 0-0/{len(body)}")
            body = body[:1]
        else:
            self.send_response(status)
        if status == 503:
            self.send_header("Retry-After", "0")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)


@pytest.fixture
def server(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("no_proxy", "localhost,127.0.0.1")
    handler: type[Handler] = type("Bound", (Handler,), {"seen": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"127.0.0.1:{server.server_address[1]}", handler.seen
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def session(server):
    with Session(Settings(home=Path("/nonexistent"), stacks=())) as session:
        yield session


def test_a_page_without_content_type_is_read_as_utf8(server, session):
    host, seen = server
    text, kind, final = session.get_text(f"http://{host}/page", "text/html")
    assert (text, kind, final) == ("<p>café</p>", "", f"http://{host}/page")
    assert seen[0][2]["User-Agent"] == f"modelstacks/{builder.__version__}"
    assert seen[0][2]["Accept"] == "text/html"


def test_a_busy_server_is_asked_again(server, session):
    host, seen = server
    assert session.get_text(f"http://{host}/once", "*/*")[0]
    assert len(seen) == 2


@pytest.mark.parametrize("path", ["/file", "/no-head"])
def test_sizes_are_told_with_and_without_head(server, session, path):
    assert session.size_of(f"http://{server[0]}{path}") == len("<p>café</p>".encode())


@pytest.mark.parametrize(("path", "status", "tries"), [("/gone", "404", 1), ("/secret", "401", 1), ("/down", "500", 5)])
def test_refusals_name_the_address_without_its_password(server, session, path, status, tries):
    host, seen = server
    with pytest.raises(JobError, match=f"answers {status}") as caught:
        session.get_text(f"http://user:hunter2@{host}{path}", "*/*")
    assert caught.value.where == f"http://{host}{path}"
    assert "hunter2" not in str(caught.value.document())
    assert len(seen) == tries


def test_unreachable_servers_are_surroundings(session):
    with pytest.raises(SurroundingsError, match="cannot be resolved") as caught:
        session.get_text("https://user:hunter2@nowhere.invalid/?token=hunter2", "*/*")
    assert "hunter2" not in str(caught.value.document())
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(SurroundingsError, match="refuses the connection"):
            session.get_text(f"https://127.0.0.1:{unused.getsockname()[1]}/", "*/*")


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://example.org/", "", "https:///x"])
def test_other_addresses_are_refused(session, url):
    with pytest.raises(InputError, match="not an http"):
        session.get_text(url, "*/*")


def test_a_stopped_session_does_not_wait(server, session):
    session.stop()
    with pytest.raises(Stopped):
        session.get_text(f"http://{server[0]}/down", "*/*")


def test_addresses_are_shown_without_secrets():
    assert clean_url("https://u:p@h.example:8/a?sig=1#f") == "https://h.example:8/a?…"
    assert "\x1b" not in clean_url("https://h.example/\x1b[31m")
