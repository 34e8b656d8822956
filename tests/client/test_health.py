"""Whether the service is ready, by gRPC and by HTTP."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.client.kit import ENVIRONMENT, client
from tests.client.service import Service, served


@contextmanager
def http(*codes: int) -> Iterator[str]:
    """The HTTP side of the service: these answers to GET /v1/health/ready, the last for ever."""
    left = list(codes)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            assert self.path == "/v1/health/ready"
            self.send_response(left.pop(0) if len(left) > 1 else left[0])
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_ready_where_both_sides_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ENVIRONMENT, "http_proxy", "http://127.0.0.1:1")
    with served(Service()) as service, http(200) as url:
        done = client("health_check", "--url", service.address, "--http", url)
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert found["ready"] is True
    assert found["grpc"] == {"address": service.address, "ready": True, "answered": True, "said": "SERVING"}
    assert found["http"] == {"address": f"{url}/v1/health/ready", "ready": True, "answered": True, "said": "HTTP 200"}


@pytest.mark.parametrize(("serving", "code"), [(2, 200), (1, 503)])
def test_not_ready_where_one_says_no(serving: int, code: int) -> None:
    with served(Service(serving=serving)) as service, http(code) as url:
        done = client("health_check", "--url", service.address, "--http", url)
    assert done.returncode == 1
    assert json.loads(done.stdout)["ready"] is False
    assert ("not serving (status 2)" if serving == 2 else "HTTP 503") in done.stderr


def test_nothing_there_is_another_code() -> None:
    done = client("health_check", "--url", "127.0.0.1:1", "--http", "http://127.0.0.1:1")
    assert done.returncode == 3
    assert [json.loads(done.stdout)[side]["answered"] for side in ("grpc", "http")] == [False, False]


def test_it_waits_until_the_service_is_ready() -> None:
    with served(Service()) as service, http(503, 200) as url:
        done = client("health_check", "--url", service.address, "--http", url, "--wait", "20")
    assert done.returncode == 0


def test_http_need_not_be_asked() -> None:
    with served(Service()) as service:
        done = client("health_check", "--url", service.address, "--http", "none")
    assert done.returncode == 0
    assert json.loads(done.stdout)["http"] is None


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--url", "localhost"], "'localhost' is not HOST:PORT"),
        (["--url", "http://localhost:52000"], "is not HOST:PORT"),
        (["--http", "ftp://localhost"], "'ftp://localhost' is not an http address"),
        (["--ca", "ca.pem"], "--ca, --cert and --key are of TLS"),
        (["--tls", "--cert", "a.pem"], "--cert and --key belong together"),
        (["--tls", "--ca", "/dev/null"], "/dev/null is not a PEM file"),
    ],
)
def test_what_is_asked_wrongly_is_refused(words: list[str], problem: str) -> None:
    done = client("health_check", *words)
    assert done.returncode == 2
    assert problem in done.stderr
