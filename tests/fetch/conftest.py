"""A real TLS server on loopback that is an index, a file store and a git server, with faults to switch on."""

from __future__ import annotations

import hashlib
import json
import os
import re
import ssl
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import trustme

from builder.lock.model import Artifact, LockedIndex
from builder.origin import Origin
from builder.settings import Settings
from builder.ui import Ui


class Site:
    """The server's content, switches and log.

    faults: per file name, what goes wrong; one whose name begins with "once-" goes wrong once.
    log: (method, path, Range header, bytes sent) of every request, in order.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.faults: dict[str, str] = {}
        self.index_hash: dict[str, str] = {}
        self.as_json = False
        self.guard = threading.Lock()
        self.stalling = threading.Event()  # set at the end of a test, to let a stalled answer go
        self.git_root = Path("/nonexistent")
        self.git_login = ""  # the Authorization header that git requests must carry
        self.logins: list[str] = []  # that they carried
        self.log: list[tuple[str, str, str, int]] = []
        self.url = ""

    def gets(self) -> Counter[str]:
        return Counter(path for method, path, _, _ in list(self.log) if method == "GET" and "/files/" in path)

    def sent(self, name: str) -> int:
        return sum(count for _, path, _, count in list(self.log) if path == f"/files/{name}")

    def page(self) -> tuple[bytes, str]:
        hashes = {n: self.index_hash.get(n, hashlib.sha256(b).hexdigest()) for n, b in self.files.items()}
        if self.as_json:
            files = [{"filename": n, "url": f"../../files/{n}", "hashes": {"sha256": h}} for n, h in hashes.items()]
            document = {"meta": {"api-version": "1.1"}, "name": "demo", "files": files}
            return json.dumps(document).encode(), "application/vnd.pypi.simple.v1+json"
        rows = [f'<a href="../../files/{n}#sha256={h}">{n}</a><br>' for n, h in hashes.items()]
        return ("<!DOCTYPE html><html><body>" + "\n".join(rows) + "</body></html>").encode(), ""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    site: Site

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_POST(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        with self.site.guard:
            entry = len(self.site.log)
            self.site.log.append((self.command, path, self.headers.get("Range", ""), 0))
        try:
            if path.startswith("/git/"):
                self._git(path)
            elif re.fullmatch(r"/simple/(demo|uv)/", path):
                body, kind = self.site.page()
                self._head(200, len(body), {"Content-Type": kind} if kind else {})
                self.wfile.write(body)
            elif (name := path.removeprefix("/files/")) in self.site.files:
                for sent in self._file(name):
                    self.site.log[entry] = (*self.site.log[entry][:3], sent)
            else:
                self._head(404, 0)
        except (BrokenPipeError, ConnectionResetError, ssl.SSLError):
            self.close_connection = True

    def _head(self, status: int, length: int, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for key, value in {"Content-Length": str(length), **(headers or {})}.items():
            self.send_header(key, value)
        self.end_headers()

    def _file(self, name: str) -> Iterator[int]:
        fault = self.site.faults.get(name, "")
        if fault.startswith("once-"):
            self.site.faults.pop(name)
        data = self.site.files[name]
        if fault in ("once-busy", "once-many"):
            return self._head(503 if fault == "once-busy" else 429, 0, {"Retry-After": "1"})
        if fault == "redirect-http":
            return self._head(302, 0, {"Location": "http://mirror.example/" + name})
        if "wrong" in fault:
            data = bytes(len(data))
        if fault == "longer":
            data += b"more"
        if fault == "truncated":
            data = data[:-100]
        first = 0
        if fault != "no-range" and (found := re.match(r"bytes=(\d+)-", self.headers.get("Range", ""))):
            first = int(found[1])
            if first >= len(data):
                return self._head(416, 0, {"Content-Range": f"bytes */{len(data)}"})
        extra = {"Content-Range": f"bytes {first}-{len(data) - 1}/{len(data)}"} if first else {}
        told = {"overstated": 1000, "once-understated": -1000}.get(fault, 0)
        self._head(206 if first else 200, len(data) - first + told, extra)
        stop = {"once-cut": len(data) // 2, "tenths": min(first + len(data) // 10, len(data))}.get(fault, len(data))
        step = 1 << 14
        for start in range(first, stop, step):
            self.wfile.write(data[start : min(start + step, stop)])
            yield min(start + step, stop) - first
            if fault == "slow":
                time.sleep(0.01)
            if "stall" in fault and start >= len(data) // 4:
                self.site.stalling.wait(60)
        self.close_connection = self.close_connection or stop < len(data) or told != 0
        return None

    def _git(self, path: str) -> None:
        self.site.logins.append(self.headers.get("Authorization", ""))
        if self.site.git_login not in ("", self.site.logins[-1]):
            return self._head(401, 0, {"WWW-Authenticate": "Basic"})
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        environment = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(self.site.git_root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "safe.directory",
            "GIT_CONFIG_VALUE_0": "*",
            "PATH_INFO": path.removeprefix("/git"),
            "QUERY_STRING": self.path.partition("?")[2],
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
        }
        done = subprocess.run(["git", "http-backend"], input=body, env=environment, capture_output=True, check=True)
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().splitlines())
        self._head(int(headers.pop("Status", "200").split()[0]), len(content), headers)
        self.wfile.write(content)
        return None


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """A client that hangs up or does not trust us is part of the tests."""


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def site(authority: trustme.CA) -> Iterator[Site]:
    content = Site()
    server = Server(("127.0.0.1", 0), type("Bound", (Handler,), {"site": content}))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    content.url = f"https://localhost:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield content
    content.stalling.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def settings(site: Site, authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings that trust the server and take it for the default index."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "localhost")
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    home = tmp_path / "home"
    return Settings(home=home, stacks=(), index=f"{site.url}/simple", ca_bundle=(tmp_path / "ca.pem",), jobs=4)


@pytest.fixture
def ui() -> Ui:
    return Ui()


@pytest.fixture
def indexes() -> dict[str, LockedIndex]:
    return {}


@pytest.fixture
def wheel(site: Site):
    """Put a wheel of `size` bytes on the server and give back what a lock says of it."""

    def make(name: str = "demo", size: int = 300_000) -> Artifact:
        filename = f"{name}-1.0-py3-none-any.whl"
        data = hashlib.shake_128(name.encode()).digest(size)
        site.files[filename] = data
        sha256 = hashlib.sha256(data).hexdigest()
        return Artifact(
            kind="wheel",
            filename=filename,
            size=size,
            sha256=sha256,
            origin=Origin.parse("index:default"),
            project="demo",
        )

    return make


@pytest.fixture
def repositories(site, tmp_path):
    """Repositories behind the server; gives a function that makes one and gives its `git`."""
    site.git_root = tmp_path / "repositories"
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "GIT_CONFIG_NOSYSTEM": "1"}
    for who in ("AUTHOR", "COMMITTER"):
        environment |= {f"GIT_{who}_NAME": "A", f"GIT_{who}_EMAIL": "a@example.org"}
        environment |= {f"GIT_{who}_DATE": "2024-05-06T07:08:09Z"}

    def make(name):
        folder = site.git_root / name
        folder.mkdir(parents=True)

        def git(*arguments, input=""):  # noqa: A002 - the word of subprocess.run
            done = subprocess.run(
                ["git", *arguments],
                cwd=folder,
                env=environment,
                check=True,
                capture_output=True,
                text=True,
                input=input,
            )
            return done.stdout.strip()

        git("init", "--quiet")
        return git

    return make


@pytest.fixture
def repository(site, repositories):
    """A repository behind the server; gives a function that commits files and tells the commit."""
    git = repositories("demo")

    def commit(**files):
        for name, text in files.items():
            (site.git_root / "demo" / name.replace("__", ".")).write_text(text)
        git("add", ".")
        git("commit", "--quiet", "--message", "a change")
        return git("rev-parse", "HEAD")

    return commit
