"""A package index of our own over TLS, whose pages and files are made while a test runs, and stacks that use it."""

from __future__ import annotations

import hashlib
import http.server
import io
import json
import ssl
import tarfile
import threading
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import trustme

from builder.settings import Settings
from builder.spec.model import Stack
from builder.spec.stacks import load_stack

FAMILY: dict[str, Any] = {
    "summary": "made for a test",
    "base": {
        "bootstrap": {"distribution": "debian", "suites": ["bookworm"], "packages": ["python3"]},
        "glibc": "2.36",
    },
    "python": "3.11",
}


def wheel(name: str, number: str, requires: Sequence[str] = (), tag: str = "py3-none-any") -> tuple[str, bytes]:
    """File name and bytes of a wheel with one module, the same each time."""
    module, info = name.replace("-", "_"), f"{name.replace('-', '_')}-{number}.dist-info"
    files = {
        f"{module}.py": f"version = {number!r}\n",
        f"{info}/METADATA": _metadata(name, number, requires),
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: {tag}\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"])
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for path, text in files.items():
            archive.writestr(zipfile.ZipInfo(path), text)
    return f"{module}-{number}-{tag}.whl", out.getvalue()


def _metadata(name: str, number: str, requires: Sequence[str] = ()) -> str:
    lines = ["Metadata-Version: 2.2", f"Name: {name}", f"Version: {number}"]
    return "\n".join([*lines, *(f"Requires-Dist: {item}" for item in requires)]) + "\n"


def sdist(name: str, number: str, code: str, requires: Sequence[str] = ()) -> tuple[str, bytes]:
    """File name and bytes of an sdist with static metadata; code: its setup.py."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for path, text in (("PKG-INFO", _metadata(name, number, requires)), ("setup.py", code)):
            entry = tarfile.TarInfo(f"{name}-{number}/{path}")
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    return f"{name}-{number}.tar.gz", out.getvalue()


class Index:
    """Several simple API indexes on one TLS server; `simple` is the default one.

    json: answer PEP 691 with sizes, else PEP 503 without. hash: the kind that pages tell, "" for none.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self.files: dict[str, dict[str, dict[str, bytes]]] = defaultdict(lambda: defaultdict(dict))
        self.json, self.hash = False, "sha256"
        tag = "py3-none-manylinux_2_17_x86_64.manylinux2014_x86_64"
        self.add(wheel("uv", version("uv"), tag=tag))  # stands in for the tool that a lock names

    def url(self, index: str = "simple") -> str:
        return f"{self.address}/{index}/"

    def add(self, file: tuple[str, bytes], *, index: str = "simple") -> None:
        name, data = file
        self.files[index][name.split("-")[0].replace("_", "-")][name] = data

    def answer(self, path: str) -> tuple[str, bytes] | None:
        """Content type and body of /INDEX/ (all links), /INDEX/PROJECT/ or /INDEX/PROJECT/FILE."""
        index, _, rest = path.strip("/").partition("/")
        project, _, filename = rest.partition("/")
        projects = self.files.get(index, {})
        files = {name: data for key, value in projects.items() if project in ("", key) for name, data in value.items()}
        if filename:
            return ("application/octet-stream", files[filename]) if filename in files else None
        if not files:
            return None
        if self.json and project:
            return "application/vnd.pypi.simple.v1+json", self._json(index, project, files)
        lines = [
            f'<a href="/{index}/{name.split("-")[0].replace("_", "-")}/{name}'
            + "".join(f"#{kind}={value}" for kind, value in self._hashes(data).items())
            + f'">{name}</a>'
            for name, data in files.items()
        ]
        return "text/html", f"<!DOCTYPE html><html><body>{'<br>'.join(lines)}</body></html>".encode()

    def _hashes(self, data: bytes) -> dict[str, str]:
        return {self.hash: hashlib.new(self.hash, data).hexdigest()} if self.hash else {}

    def _json(self, index: str, project: str, files: dict[str, bytes]) -> bytes:
        rows = [
            {
                "filename": name,
                "url": f"/{index}/{project}/{name}",
                "hashes": self._hashes(data),
                "size": len(data),
            }
            for name, data in files.items()
        ]
        return json.dumps({"meta": {"api-version": "1.1"}, "name": project, "files": rows}).encode()


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def index(authority: trustme.CA) -> Iterator[Index]:
    """An index that answers on a free port until the test ends."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = served.answer(self.path.split("?")[0])
            kind, body = found or ("text/plain", b"not here")
            self.send_response(200 if found else 404)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_HEAD = do_GET

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    served = Index(f"https://localhost:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield served
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def settings(index: Index, authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings of a site whose default index is `index`, whose CA is private, and whose folders are empty."""
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv-cache"))
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    stacks = tmp_path / "stacks"
    (stacks / "families").mkdir(parents=True)
    return Settings(
        home=tmp_path / "home",
        cache=tmp_path / "cache",
        stacks=(stacks,),
        index=index.url(),
        ca_bundle=(tmp_path / "ca.pem",),
        jobs=4,
    )


MakeStack = Callable[..., Stack]


@pytest.fixture
def make_stack(settings: Settings) -> MakeStack:
    """Write (or rewrite) the stack `one` with these packages and keys, and load it; family: keys of its family."""

    def make(*packages: str, family: dict[str, Any] | None = None, **keys: Any) -> Stack:
        folder = settings.stacks[0]
        (folder / "families" / "own.yaml").write_text(json.dumps(FAMILY | (family or {})))
        (folder / "one").mkdir(exist_ok=True)
        text = {"summary": "One", "family": "own", "packages": list(packages)} | keys
        (folder / "one" / "stack.yaml").write_text(json.dumps(text))
        return load_stack("one", settings)

    return make
