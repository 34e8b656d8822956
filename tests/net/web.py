"""Real servers on loopback for the tests of this room: a web server with or without TLS, and a CONNECT proxy."""

from __future__ import annotations

import base64
import select
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = tuple[int, Mapping[str, str], bytes]


@dataclass
class Web:
    """A server. seen: path and headers of each request. certificates: what each client showed, None for nothing.
    answers: by path; a callable is asked each time. posted: the body of each POST."""

    host: str
    scheme: str
    seen: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    certificates: list[bytes | None] = field(default_factory=list)
    answers: dict[str, Answer | Callable[[Message], Answer]] = field(default_factory=dict)
    posted: list[bytes] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.host}"

    def logins(self) -> list[str]:
        """The Authorization header of each request, "" where there was none."""
        return [headers.get("Authorization", "") for _, headers in self.seen]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    web: Web

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self.web.seen.append((self.path, dict(self.headers)))
        if isinstance(self.connection, ssl.SSLSocket):
            self.web.certificates.append(self.connection.getpeercert(binary_form=True))
        found = self.web.answers.get(self.path, (404, {}, b""))
        status, headers, body = found(self.headers) if callable(found) else found
        self.send_response(status)
        for key, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_GET

    def do_POST(self) -> None:
        self.web.posted.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.do_GET()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """A client that does not trust us hangs up; that is part of the tests."""


@contextmanager
def web(context: ssl.SSLContext | None = None, *, name: str = "localhost", address: str = "127.0.0.1") -> Iterator[Web]:
    """Serve on a free port of an address, over TLS where a context is given, until the block ends."""
    handler: type[_Handler] = type("Bound", (_Handler,), {})
    server = _Server((address, 0), handler)
    handler.web = Web(f"{name}:{server.server_address[1]}", "https" if context else "http")
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield handler.web
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass
class Proxy:
    """A CONNECT proxy. login: `user:password` it wants, "" for none. seen: target and login of each request."""

    port: int
    login: str
    seen: list[tuple[str, str]] = field(default_factory=list)


@contextmanager
def proxy(login: str = "") -> Iterator[Proxy]:
    """Run a CONNECT proxy on a free port until the block ends."""
    listener = socket.create_server(("127.0.0.1", 0))
    found = Proxy(listener.getsockname()[1], login)
    ended = threading.Event()

    def accept() -> None:
        while not ended.is_set():
            if select.select([listener], [], [], 0.05)[0]:
                threading.Thread(target=_tunnel, args=(listener.accept()[0], found, ended), daemon=True).start()

    thread = threading.Thread(target=accept)
    thread.start()
    try:
        yield found
    finally:
        ended.set()
        thread.join()
        listener.close()


def _tunnel(client: socket.socket, proxy: Proxy, ended: threading.Event) -> None:
    with client:
        head = b""
        while b"\r\n\r\n" not in head and (piece := client.recv(1)):
            head += piece
        first, *lines = head.decode().split("\r\n")
        fields = {key.lower(): value for key, _, value in (line.partition(": ") for line in lines)}
        given = base64.b64decode(fields.get("proxy-authorization", "").removeprefix("Basic ")).decode()
        target = first.split(" ")[1]
        proxy.seen.append((target, given))
        if given != proxy.login:
            wanted = b"Proxy-Authenticate: Basic realm=proxy\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
            client.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\n" + wanted)
            return
        host, _, port = target.rpartition(":")
        with socket.create_connection((host, int(port))) as server:
            client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            _pump(client, server, ended)


def _pump(one: socket.socket, other: socket.socket, ended: threading.Event) -> None:
    while not ended.is_set():
        for source in select.select([one, other], [], [], 0.05)[0]:
            try:
                data = source.recv(1 << 16)
                (other if source is one else one).sendall(data)
            except OSError:
                return
            if not data:
                return
