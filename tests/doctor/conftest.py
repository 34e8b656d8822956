"""Real TLS servers and a real CONNECT proxy on loopback, and a stack that needs them."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import trustme

from builder import spec
from builder.doctor.examine import doctor
from builder.doctor.model import Diagnosis
from builder.doctor.report import Report
from builder.settings import load
from builder.ui import Ui
from tests.conftest import write_stack

NO_TRUST = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "CA_BUNDLE")
_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


class Site(BaseHTTPRequestHandler):
    """An index, an archive and whatever else is asked; keeps what it was asked."""

    protocol_version = "HTTP/1.1"
    asked: list[tuple[str, str, str]]
    statuses: dict[str, int]
    leads_to: dict[str, str]
    port: int
    challenge = ""

    def log_message(self, *_: Any) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        self.asked.append((self.command, self.path, self.headers.get("Authorization", "")))
        target = self.leads_to.get(self.path, "")
        self.send_response(302 if target else self.statuses.get(self.path, 200))
        if target:
            self.send_header("Location", target)
        if self.challenge and self.statuses.get(self.path) == 401:
            self.send_header("WWW-Authenticate", self.challenge)
        body = b'<a href="/files/six-1.17.0-py3-none-any.whl">six</a>'
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)


@contextlib.contextmanager
def serving(context: ssl.SSLContext | None) -> Iterator[type[Site]]:
    """The site on a free port of loopback; its class has `port`."""
    handler: type[Site] = type("Bound", (Site,), {"asked": [], "statuses": {}, "leads_to": {}})

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def finish_request(self, request: Any, address: Any) -> None:
            if context is None:
                return super().finish_request(request, address)
            # A client that does not trust us hangs up in the handshake.
            with contextlib.suppress(OSError), context.wrap_socket(request, server_side=True) as wrapped:
                super().finish_request(wrapped, address)
            return None

    server = Server(("127.0.0.1", 0), handler)
    handler.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield handler
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Connect(BaseHTTPRequestHandler):
    """A proxy that only tunnels, and only for user:PROXY-s3cret."""

    through: list[str]
    port: int
    login = "Basic dXNlcjpQUk9YWS1zM2NyZXQ="

    def log_message(self, *_: Any) -> None:
        pass

    def do_CONNECT(self) -> None:
        self.through.append(self.path)
        if self.headers.get("Proxy-Authorization") != self.login:
            self.send_error(407)
            return
        _, _, port = self.path.rpartition(":")
        with socket.create_connection(("127.0.0.1", int(port))) as far:
            self.send_response(200)
            self.end_headers()
            ends = [self.connection, far]
            while ready := select.select(ends, [], [], 10)[0]:
                for one in ready:
                    try:
                        data = one.recv(1 << 16)
                    except OSError:
                        return
                    if not data:
                        return
                    (far if one is self.connection else self.connection).sendall(data)


@pytest.fixture
def proxy() -> Iterator[type[Connect]]:
    handler: type[Connect] = type("Bound", (Connect,), {"through": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    handler.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield handler
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA(organization_name="Example Corp", organization_unit_name="example-root")


@pytest.fixture
def site(authority: trustme.CA, tmp_path: Path) -> Callable[..., contextlib.AbstractContextManager[type[Site]]]:
    """Serve with a certificate, issued for localhost by the authority unless another is given.

    above: what is sent after it; None for the intermediate certificates that belong there.
    clients: whose certificates a client has to show.
    """

    def served(
        leaf: trustme.LeafCert | None = None,
        above: list[trustme.Blob] | None = None,
        clients: trustme.CA | None = None,
    ) -> contextlib.AbstractContextManager[type[Site]]:
        leaf = leaf or authority.issue_cert("localhost", common_name="index.example")
        first, *rest = leaf.cert_chain_pems
        blobs = [leaf.private_key_pem, first, *(rest if above is None else above)]
        chain = tmp_path / f"{id(leaf)}.pem"
        chain.write_bytes(b"".join(blob.bytes() for blob in blobs))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(chain)
        chain.unlink()
        if clients:
            clients.configure_trust(context)
            context.verify_mode = ssl.CERT_REQUIRED
            context.maximum_version = ssl.TLSVersion.TLSv1_2  # which refuses in the handshake itself
        return serving(context)

    return served


@pytest.fixture
def archive() -> Iterator[str]:
    """A plain http mirror of Debian, as apt has it."""
    with serving(None) as handler:
        yield f"http://localhost:{handler.port}/debian"


@pytest.fixture
def ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, archive: str) -> Callable[..., Report]:
    """Run the doctor on a small stack whose default index is at a given address."""
    for name in (*NO_TRUST, *_PROXIES, *(one.upper() for one in _PROXIES)):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("MODELSTACKS_DEBIAN_MIRROR", archive)

    def asked(
        index: str, *, save_root: Path | None = None, extra: str = "", names: Sequence[str] = ("mine",)
    ) -> Report:
        write_stack(tmp_path / "stacks", "mine", packages=["six==1.17.0"], extra=extra)
        monkeypatch.setenv("MODELSTACKS_INDEX", index)
        settings = load(stacks=(tmp_path / "stacks",), folder=tmp_path)
        return doctor(
            [spec.load(name, settings) for name in names], settings, Ui(), parts=["network"], save_root=save_root
        )

    return asked


def of(report: Report, check: str, subject: str) -> Diagnosis:
    """The one diagnosis of a check on a host."""
    (found,) = [one for one in report.diagnoses if one.check == check and one.subject == subject]
    return found
