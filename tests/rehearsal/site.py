"""A site's mirrors over TLS under a private CA: an image registry, package indexes, pages of links, git hosts, files.

Real servers on loopback; what they serve stands for what other machines serve. The default index and the archive of
Debian are not among them: those are the real ones.
"""

from __future__ import annotations

import re
import ssl
import subprocess
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import tomli_w
import trustme

from builder.engine.client import Engine
from builder.files import same_file, sha256_of
from tests.fetch.conftest import Handler, Server
from tests.fetch.conftest import Site as Faults
from tests.registry import registry

_PIECE = 1 << 20
_WHO = ["-c", "user.name=test", "-c", "user.email=test@example.org"]


@dataclass
class Mirrors:
    """url: of the server, which serves folder/www/HOST for https://HOST, and of folder/git its repositories.

    images: of the registry, HOST:PORT. ca: the private root. path: a folder to put before PATH, "" for none.
    """

    folder: Path
    url: str
    images: str
    ca: Path
    path: str = ""

    @property
    def www(self) -> Path:
        return self.folder / "www"

    @property
    def git(self) -> Path:
        return self.folder / "git"

    def put(self, address: str, content: Path | bytes) -> None:
        """Serve a file in the place of this https address; a path is linked, not copied."""
        path = self.www / address.removeprefix("https://")
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, Path):
            same_file(content, path)
        else:
            path.write_bytes(content)

    def index(self, address: str, wheels: Iterable[Path]) -> None:
        """Serve wheels by the simple API (PEP 503) in the place of this address."""
        for wheel in wheels:
            project = re.sub(r"[-_.]+", "-", wheel.name.partition("-")[0]).lower()
            self.put(f"{address}/{project}/{wheel.name}", wheel)
            self.put(f"{address}/{project}/index.html", _links([wheel]))

    def page(self, address: str, wheels: Iterable[Path]) -> None:
        """Serve wheels by a plain page of links, which is this address."""
        listed = list(wheels)
        for wheel in listed:
            self.put(f"{address.rpartition('/')[0]}/{wheel.name}", wheel)
        self.put(address, _links(listed))

    def repository(self, address: str, files: Mapping[str, str]) -> str:
        """Serve a git repository of these files in the place of this address; returns its commit."""
        folder = self.git / address.removeprefix("https://").removesuffix(".git")
        for path, text in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)
        for words in (["init", "-q"], ["add", "."], [*_WHO, "commit", "-qm", "one"]):
            subprocess.run(["git", *words], cwd=folder, check=True)
        return _head(folder)

    def amended(self, folder: Path) -> str:
        """Take what is staged in a repository's folder into its one commit; returns that."""
        subprocess.run(["git", *_WHO, "commit", "-q", "--amend", "-m", "one"], cwd=folder, check=True)
        return _head(folder)

    def image(self, tag: str, name: str, engine: Engine) -> None:
        """Put an image of the engine into the registry, under the name that it stands for (docker.io/…)."""
        served = f"{self.images}/{name.partition('/')[2]}"
        engine.tag(tag, served)
        try:
            engine.run(["push", "--quiet", served])
        finally:
            engine.remove(served)

    def forget(self, engine: Engine) -> None:
        """Take what the engine pulled from the registry out of it again."""
        words = ["image", "ls", "--format", "{{.Repository}}:{{.Tag}}", "--filter", f"reference={self.images}/*/*"]
        for name in engine.run(words).stdout.split():
            engine.remove(name)

    def settings(self, *, trusted: bool = True, **more: object) -> str:
        """The modelstacks.toml of the site: its mirrors, its root, and more keys. trusted: without the root."""
        hosts = [path.name for path in self.www.iterdir()]
        found: dict[str, object] = {key.replace("_", "-"): value for key, value in more.items()}
        found |= {"ca-bundle": [str(self.ca)]} if trusted else {}
        repositories = {f"https://{path.name}": [f"{self.url}/git/{path.name}"] for path in self.git.iterdir()}
        found["rewrites"] = {f"https://{host}": [f"{self.url}/{host}"] for host in hosts} | repositories
        found["images"] = {"docker.io": [self.images]}
        return tomli_w.dumps(found)


@contextmanager
def mirrors(folder: Path) -> Iterator[Mirrors]:
    """Serve until the block ends; both servers have certificates of one private CA."""
    authority, images = trustme.CA(), folder / "registry"
    for path in (images, folder / "www", folder / "git"):
        path.mkdir(parents=True)
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(images / "tls.pem"))
    faults = Faults()
    faults.git_root = folder / "git"
    found = Mirrors(folder, "", "", folder / "ca.pem")
    server = Server(("127.0.0.1", 0), type("Bound", (_Files,), {"site": faults, "mirrors": found}))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    found.url = f"https://localhost:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        with registry(images, tls=str(images / "tls.pem")) as found.images:
            yield found
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Files(Handler):
    """Files of a folder, whole or a range of them; git as the handler it extends has it."""

    mirrors: Mirrors

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        try:
            if path.startswith("/git/"):
                self._git(path)
            else:
                self._send(path)
        except (BrokenPipeError, ConnectionResetError, ssl.SSLError):
            self.close_connection = True

    def _send(self, path: str) -> None:
        file = self.mirrors.www / path.lstrip("/").replace("%2B", "+").replace("%2b", "+")
        file = file / "index.html" if file.is_dir() else file
        if ".." in path or not file.is_file():
            return self._head(404, 0)
        size = file.stat().st_size
        first, last = _range(self.headers.get("Range", ""), size)
        headers = {"Accept-Ranges": "bytes", "Content-Type": "text/html" if file.suffix == ".html" else "binary/file"}
        if partial := (first, last) != (0, size - 1):
            headers["Content-Range"] = f"bytes {first}-{last}/{size}"
        self._head(206 if partial else 200, last - first + 1, headers)
        if self.command == "HEAD":
            return None
        with file.open("rb") as stream:
            stream.seek(first)
            left = last - first + 1
            while left and (piece := stream.read(min(left, _PIECE))):
                self.wfile.write(piece)
                left -= len(piece)
        return None


def _head(folder: Path) -> str:
    words = ["git", "rev-parse", "HEAD"]
    return subprocess.run(words, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


def _range(header: str, size: int) -> tuple[int, int]:
    """First and last byte that a Range header asks for; all of them where it asks for none that is there."""
    found = re.fullmatch(r"bytes=(\d*)-(\d*)", header)
    if not found or not any(found.groups()):
        return 0, size - 1
    if not found[1]:
        return max(size - int(found[2]), 0), size - 1
    first, last = int(found[1]), min(int(found[2] or size), size - 1)
    return (first, last) if first <= last else (0, size - 1)


def _links(wheels: Iterable[Path]) -> bytes:
    rows = [
        f'<a href="{wheel.name.replace("+", "%2B")}#sha256={sha256_of(wheel)}">{wheel.name}</a><br>' for wheel in wheels
    ]
    return f"<!DOCTYPE html><html><body>{''.join(rows)}</body></html>".encode()
