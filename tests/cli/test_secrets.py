"""No secret that a site can give is in anything that is written: one run through the verbs, then a search of it all."""

from __future__ import annotations

import base64
import hashlib
import http.server
import json
import re
import secrets
import ssl
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
import trustme

from builder.bundle.own import own_wheels, running_python
from builder.engine.client import Engine
from builder.files import same_file
from builder.lock import read
from builder.net.archive import archive
from builder.settings import load
from builder.ui import Ui
from tests.conftest import IMAGES, cli, remove_images, write_stack
from tests.fetch.conftest import Handler as GitHandler
from tests.fetch.conftest import Site
from tests.lock.conftest import wheel
from tests.registry import registry

PLACES = (
    "index", "netrc", "proxy", "token", "apt", "git", "hf", "path", "key", "registry", "docker-proxy", "query", "pip",
    "uv", "certificate",
)  # fmt: skip


@dataclass
class Place:
    """A site whose every login is a secret of its own. secrets: by the place that each is given in."""

    root: Path
    secrets: dict[str, str]
    env: dict[str, str] = field(default_factory=dict)
    seen: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)

    def run(self, *words: str, good: bool = True, **more: str) -> str:
        """Run the command line, and keep what it said."""
        done = cli(*words, env={**self.env, **more})
        self.said.append(done.stdout + done.stderr)
        assert (done.returncode == 0) == good, done.stderr
        return done.stdout

    def found(self, data: bytes) -> list[str]:
        """The places whose secrets are in these bytes: plain, percent-encoded, or as base64 at any offset."""
        return [name for name, secret in self.secrets.items() if any(form in data for form in forms(secret))]


def forms(secret: str) -> set[bytes]:
    plain = secret.encode()
    found = {plain, quote(secret, safe="").encode(), json.dumps(secret)[1:-1].encode()}
    for before in range(3):
        whole = base64.b64encode(b"x" * before + plain + b"xx").rstrip(b"=")
        found.add(whole[4 if before else 0 : len(whole) - 6])
    return found


def handler(place: Place, git: Path) -> type[http.server.BaseHTTPRequestHandler]:
    """An index and git that want a login, and files behind a token in their path."""

    class Handler(GitHandler):
        site = Site()
        site.git_root = git

        def do_GET(self) -> None:
            place.seen += [self.headers.get("Authorization", ""), self.path]
            path = self.path.partition("?")[0]
            if path.startswith(("/simple/", "/git/")) and "Authorization" not in self.headers:
                return self._answer(401, b"", {"WWW-Authenticate": 'Basic realm="x"'})
            if path.startswith("/simple/"):
                project = path.split("/")[2]
                names = [name for name in place.files if name.startswith(f"{project}-")]
                hashes = {name: hashlib.sha256(place.files[name]).hexdigest() for name in names}
                rows = [f'<a href="/files/{name}#sha256={hashes[name]}">{name}</a>' for name in names]
                return self._answer(200, "".join(rows).encode(), {"Content-Type": "text/html"})
            if path.startswith("/git/"):
                return self._git(path)
            name = path.rpartition("/")[2]
            data = place.files.get(name)
            return self._answer(404 if data is None else 200, data or b"", {})

        def _answer(self, code: int, body: bytes, headers: dict[str, str]) -> None:
            self.send_response(code)
            for key, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(key, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

    return Handler


def repository(folder: Path) -> str:
    """Make a repository that the server has; gives its commit."""
    work, bare = folder / "work", folder / "code.git"
    who = ["-c", "user.name=x", "-c", "user.email=x"]
    subprocess.run(["git", "init", "-q", work], check=True)
    (work / "code.py").write_text("x = 1\n")
    for words in (["add", "."], [*who, "commit", "-qm", "one"]):
        subprocess.run(["git", *words], cwd=work, check=True)
    subprocess.run(["git", "clone", "-q", "--bare", work, bare], check=True, capture_output=True)
    done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=work, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture(scope="module")
def place(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    root = tmp_path_factory.mktemp("site")
    made = Place(root, {name: f"s3cr@t+/{name}-{secrets.token_hex(8)}" for name in PLACES})
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    authority.cert_pem.write_to_path(str(root / "ca.pem"))
    commit = repository(root)
    servers = [http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler(made, root)) for _ in range(2)]
    for server in servers:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    first, second = (f"localhost:{server.server_port}" for server in servers)
    checkout = load()
    for path in [*checkout.wheels.glob("uv-*.whl"), *(checkout.assets / "debs").glob("*.deb")]:
        same_file(path, root / "home" / path.relative_to(checkout.home))
        if path.name.startswith("uv-"):
            made.files[path.name] = path.read_bytes()
    own = own_wheels(running_python(), checkout, Ui(), offline=False)
    for path in [*own, *own[0].parent.glob(".cp*.list")]:
        same_file(path, root / "home" / "assets" / "own-wheels" / path.name)
    name, data = wheel("demo", "1.0")
    made.files |= {name: data, "net.bin": b"net" * 1000, "two.bin": b"two" * 1000}
    given(made, first, second)
    stack(root / "stacks", second, commit)
    yield made
    for server in servers:
        server.shutdown()
        server.server_close()
    remove_images(engine, "guarded")


def given(made: Place, first: str, second: str) -> None:
    """Every place that a site can put a secret in."""
    root, code = made.root, {name: quote(secret, safe="") for name, secret in made.secrets.items()}
    user = root / "user"
    for folder in (user / "modelstacks", root / "docker"):
        folder.mkdir(parents=True)
    debian = urlsplit(archive(load(), "debian"))
    (user / "modelstacks" / "modelstacks.toml").write_text(
        f'index = "https://reader:{code["index"]}@{first}/simple"\n'
        f'[mirrors]\ndebian = "{debian.scheme}://apt:{code["apt"]}@{debian.netloc}{debian.path}"\n'
        f'[rewrites]\n"https://weights.example" = "https://{first}/files;token={code["path"]}"\n'
        f'"https://git.example" = "https://coder:{code["git"]}@{first}/git"\n'
        f'[tokens]\n"{second}" = "SITE_TOKEN"\n'
    )
    (user / ".netrc").write_text(f"machine localhost login net password {made.secrets['netrc']}\n")
    login = base64.b64encode(f"user:{made.secrets['registry']}".encode()).decode()
    proxy = {"httpProxy": f"http://user:{code['docker-proxy']}@proxy.example:3128"}
    config = {"auths": {"registry.example": {"auth": login}}, "proxies": {"default": proxy}}
    (root / "docker" / "config.json").write_text(json.dumps(config))
    words = ["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-aes256"]
    key = [*words, "-pass", f"pass:{made.secrets['key']}", "-out", str(root / "own.key")]
    subprocess.run(key, check=True, capture_output=True)
    made.env = {
        "HOME": str(user), "XDG_CONFIG_HOME": str(user), "XDG_CACHE_HOME": str(root / "cache"),
        "NETRC": str(user / ".netrc"), "DOCKER_CONFIG": str(root / "docker"), "CA_BUNDLE": str(root / "ca.pem"),
        "MODELSTACKS_HOME": str(root / "home"), "MODELSTACKS_STACKS": str(root / "stacks"),
        "MODELSTACKS_IMAGE_PREFIX": IMAGES, "UV_CACHE_DIR": str(root / "cache" / "uv"),
        "NO_PROXY": f"localhost,{debian.hostname}", "no_proxy": f"localhost,{debian.hostname}",
        "HTTPS_PROXY": f"http://user:{code['proxy']}@proxy.example:3128",
        "https_proxy": f"http://user:{code['proxy']}@proxy.example:3128",
        "SITE_TOKEN": made.secrets["token"], "HF_TOKEN": made.secrets["hf"], "COSIGN_PASSWORD": made.secrets["key"],
        "PIP_EXTRA_INDEX_URL": f"https://user:{code['pip']}@extra.example/simple",
        "UV_EXTRA_INDEX_URL": f"https://user:{code['uv']}@extra.example/simple",
    }  # fmt: skip


def stack(folder: Path, second: str, commit: str) -> None:
    sources = [{"git": "https://git.example/code.git", "commit": commit, "into": "/opt/code"}]
    weights = [
        {"url": "https://weights.example/net.bin", "into": "/opt/net"},
        {"url": f"https://{second}/files/two.bin", "into": "/opt/net"},
    ]
    folder.mkdir()
    extra = f"sources: {json.dumps(sources)}\nweights: {json.dumps(weights)}"
    write_stack(folder, "guarded", packages=["demo==1.0"], extra=extra)


def fleet(place: Place, key: str) -> None:
    """What is written for others: SBOM, report, pipelines, and what a registry then holds."""
    out = place.root / "out"
    place.run("--json", "sbom", "guarded", "--out", str(out / "sbom"))
    place.run("--json", "report", "guarded", "--out", str(out / "report"))
    place.run("--json", "bake", "guarded", "--out", str(out / "bake.json"))
    for provider in ("github", "gitlab"):
        place.run("ci", "--provider", provider, "--registry", "registry.example/x", "--out", str(out / provider))
        place.run("matrix", "--format", provider, "--registry", "registry.example/x")
    (place.root / "registry").mkdir()
    with registry(place.root / "registry") as address:
        place.run("--json", "share", "guarded", "--registry", f"{address}/files")
        place.run("--json", "publish", "guarded", "--registry", f"{address}/images", "--key", key)


@pytest.fixture(scope="module")
def driven(place: Place) -> Place:
    """All verbs, as they should go and with what a site gets wrong."""
    key = str(place.root / "own.key")
    place.run("--json", "lock", "guarded")
    place.run("--json", "fetch", "guarded")
    place.run("--json", "build", "guarded")
    place.run("--json", "smoke", "guarded", "--gpu", "none")
    place.run("--json", "reproduce", "guarded")
    place.run("--json", "list")
    out = str(place.root / "out" / "x.bundle.tar")
    place.run("--json", "export", "guarded", "--out", out, "--key", key, MODELSTACKS_OFFLINE="")
    fleet(place, key)
    wrong = {name: quote(f"{place.secrets[name]}", safe="") for name in PLACES}
    for index in (
        f"https://reader:{wrong['index']}@localhost:1/simple",
        f"https://reader:{wrong['index']}@nowhere.invalid/simple",
        f"https://reader:{place.secrets['index']}@localhost/simple",
        f"https://localhost:1/simple;token={wrong['path']}?token={wrong['query']}#{wrong['query']}",
    ):
        for words in (("lock", "--upgrade", "guarded"), ("doctor", "--only", "host")):
            place.said.append(str(cli("--json", *words, env={**place.env, "MODELSTACKS_INDEX": index})))
    for lost in ("two.bin", "net.bin"):
        kept = place.files.pop(lost)
        for path in (place.root / "home" / "assets" / "weights").glob(f"*{lost}"):
            path.unlink()
        place.run("--json", "fetch", "guarded", good=False)
        place.files[lost] = kept
    place.run("--json", "fetch", "guarded")
    place.said.append(cli("doctor", env=place.env).stderr)
    place.run("export", "guarded", "--out", out, "--key", key, good=False, COSIGN_PASSWORD=place.secrets["certificate"])
    return place


def test_the_secrets_were_used_and_the_search_finds_them(driven: Place) -> None:
    """Or the rest would prove nothing."""
    used = driven.found("\n".join(driven.seen).encode())
    assert {"index", "token", "path", "git"} <= set(used)
    for name, secret in driven.secrets.items():
        login = base64.b64encode(f"somebody:{secret}".encode())
        assert driven.found(b"..." + login + b"...") == [name]
        assert driven.found(quote(secret, safe="").encode()) == [name]


@pytest.mark.parametrize("what", ["home", "stacks", "out", "cache", "registry"])
def test_no_file_holds_one(what: str, driven: Place) -> None:
    """Locks, contexts, Dockerfiles, logs, evidence.json, junit.xml, the bundle, caches, SBOM, report, pipelines, what a
    registry holds: by content and by name."""
    files = [path for path in (driven.root / what).rglob("*") if path.is_file() and path.suffix != ".deb"]
    assert files or what == "cache"
    found = {str(path): held for path in files if (held := driven.found(path.read_bytes() + str(path).encode()))}
    assert found == {}


def test_no_word_that_was_said_holds_one(driven: Place) -> None:
    assert len(driven.said) > 15 and all(driven.said)
    assert [said for said in driven.said if driven.found(said.encode())] == []
    assert not [said for said in driven.said if "Traceback" in said]


def test_the_image_holds_none(driven: Place, engine: Engine) -> None:
    """Layers, configuration, labels and history."""
    name = f"{IMAGES}/guarded:latest"
    for words in (["image", "inspect", name], ["image", "history", "--no-trunc", name]):
        assert driven.found(engine.run(words).stdout.encode()) == []
    with subprocess.Popen(engine.command("save", name), stdout=subprocess.PIPE) as saved:
        assert saved.stdout
        found, rest, size = set[str](), b"", 0
        while piece := saved.stdout.read(1 << 24):
            found |= set(driven.found(rest + piece))
            rest, size = piece[-256:], size + len(piece)
    assert size > 100_000_000 and found == set()


def test_what_the_lock_says_of_where_it_saw_a_file_is_the_address_alone(driven: Place) -> None:
    seen = read(driven.root / "stacks" / "guarded").weights[0].seen
    assert re.fullmatch(r"https://localhost:\d+/files;…/net\.bin", seen)
