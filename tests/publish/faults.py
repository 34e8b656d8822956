"""A proxy in front of a real registry that spoils what a test asks it to: statuses, cut connections, other bytes."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal

_HOP = {"connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade"}


@dataclass(frozen=True)
class Fault:
    """What becomes of a request. status: answered in place of the registry, after the body was read. cut: the
    connection ends in the middle of the request's body, or of the answer's. other: zeros in place of the answer's body.
    """

    kind: Literal["status", "cut body", "cut answer", "other"]
    status: int = 500
    headers: tuple[tuple[str, str], ...] = ()


@dataclass
class Front:
    """The proxy. address: HOST:PORT. spoil: of method, path and how many such methods came before."""

    address: str = ""
    spoil: Callable[[str, str, int], Fault | None] = lambda *_: None
    seen: list[tuple[str, str]] = field(default_factory=list)

    def count(self, method: str) -> int:
        return sum(1 for one, _ in self.seen if one == method)


@contextmanager
def front(upstream: str) -> Iterator[Front]:
    """A proxy on loopback, over http, in front of the registry at upstream."""
    found = Front()
    server = _Server(("127.0.0.1", 0), type("Bound", (_Handler,), {"front": found, "upstream": upstream}))
    found.address = f"127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """A connection that a test cut is no fault of the proxy."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    front: Front
    upstream: str

    def log_message(self, *_: object) -> None: ...

    def _any(self) -> None:
        number = self.front.count(self.command)
        self.front.seen.append((self.command, self.path))
        fault = self.front.spoil(self.command, self.path, number)
        length = int(self.headers.get("Content-Length") or 0)
        if fault and fault.kind == "cut body":
            self.rfile.read(length // 2)
            return self._cut()
        body = self.rfile.read(length)
        if fault and fault.kind == "status":
            return self._answer(fault.status, list(fault.headers), b"{}")
        status, headers, data = self._forward(body)
        if fault and fault.kind == "other":
            data = bytes(len(data))
        return self._answer(status, headers, data, short=bool(fault and fault.kind == "cut answer"))

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _any

    def _forward(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        connection = http.client.HTTPConnection(self.upstream, timeout=30)
        sent = {key: value for key, value in self.headers.items() if key.lower() not in _HOP}
        connection.request(self.command, self.path, body=body or None, headers=sent)
        answer = connection.getresponse()
        data = answer.read()
        headers = [(key, value) for key, value in answer.getheaders() if key.lower() not in _HOP]
        connection.close()
        return answer.status, headers, data

    def _answer(self, status: int, headers: list[tuple[str, str]], data: bytes, *, short: bool = False) -> None:
        self.send_response_only(status)
        named = {key.lower() for key, _ in headers}
        for key, value in headers:
            self.send_header(key, value)
        if "content-length" not in named:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data[: len(data) // 2] if short else data)
        if short:
            self._cut()

    def _cut(self) -> None:
        self.wfile.flush()
        self.close_connection = True
        self.connection.shutdown(2)
