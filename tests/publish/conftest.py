"""A real registry behind TLS of a private CA and a login, keys of one's own, and a small stack that is built."""

from __future__ import annotations

import base64
import json
import os
import shutil
import ssl
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trustme

from builder.registry import Connection, Repository
from builder.settings import Settings, load
from tests.conftest import cli
from tests.debs import unpacked
from tests.registry import free, registry

USER, PASSWORD = "pusher", "hunter2-of-the-registry"
# bcrypt of PASSWORD, as the registry's htpasswd wants it; made by `htpasswd -nbB`.
HASH = "$2y$05$abcdefghijklmnopqrstuuJQ0OEfoQ1jvzDwPykoQtl7vEtSYYygy"
_ALONE = ("cosign", "oras")  # need no library but libc
TOOLS = os.pathsep.join(filter(None, (os.environ.get("MODELSTACKS_TEST_TOOLS"), os.environ.get("PATH"))))


def tool(name: str) -> str:
    """A program of Debian 13, this machine's or fetched by apt once (Debian 12's knows none); else the test is skipped.

    MODELSTACKS_TEST_TOOLS: a folder that it is looked for in first.
    """
    found = shutil.which(name, path=TOOLS)
    if not found and name not in _ALONE:
        pytest.skip(f"{name} is not installed")
    return found or str(unpacked(name, [name]) / "usr" / "bin" / name)


@dataclass(frozen=True)
class Served:
    """A registry. address: HOST:PORT. ca: a PEM file. docker: a folder with a config.json that has the login."""

    address: str
    ca: Path
    docker: Path
    data: Path

    @property
    def environment(self) -> dict[str, str]:
        """For a run of the command line, and for cosign, oras and skopeo."""
        named = {"CA_BUNDLE": str(self.ca), "SSL_CERT_FILE": str(self.ca), "SSL_CERT_DIR": "/nonexistent"}
        return {**named, "DOCKER_CONFIG": str(self.docker), "no_proxy": "localhost", "NO_PROXY": "localhost"}

    @contextmanager
    def repository(self, name: str, *, writes: bool = True) -> Iterator[Repository]:
        """A repository of it."""
        with Connection(self.address, self.settings) as connection:
            yield Repository(connection, name, writes=writes)

    @property
    def settings(self) -> Settings:
        """The site's settings, with the CA."""
        return load(environ={**os.environ, **self.environment})

    def blob(self, digest: str) -> Path:
        """Where the registry keeps the bytes of a digest: manifests and blobs alike."""
        name = digest.removeprefix("sha256:")
        return self.data / "docker/registry/v2/blobs/sha256" / name[:2] / name / "data"


@contextmanager
def serve(folder: Path, *, login: bool = True, host: str = "localhost") -> Iterator[Served]:
    """A registry under a CA of its own. login: whether it wants one. host: its name, or another address of ours."""
    authority = trustme.CA()
    leaf = authority.issue_cert(host)
    ca, pem = folder / "ca.pem", folder / "leaf.pem"
    authority.cert_pem.write_to_path(str(ca))
    leaf.private_key_and_cert_chain_pem.write_to_path(str(pem))
    users, docker = folder / "htpasswd", folder / "docker"
    users.write_text(f"{USER}:{HASH}\n")
    docker.mkdir()
    more = f'auth: {{htpasswd: {{realm: basic, path: "{users}"}}}}' if login else ""
    with registry(folder, "" if host == "localhost" else free(host), tls=str(pem), more=more) as place:
        address = place.replace("127.0.0.1", "localhost")
        token = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        (docker / "config.json").write_text(json.dumps({"auths": {address: {"auth": token}}}))
        yield Served(address, ca, docker, folder / "data")


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serve(tmp_path_factory.mktemp("registry")) as found, pytest.MonkeyPatch.context() as patch:
        patch.setenv("DOCKER_CONFIG", str(found.docker))
        patch.setenv("no_proxy", "localhost")
        yield found


@dataclass(frozen=True)
class Keys:
    private: Path
    public: Path


def make_keys(folder: Path, name: str) -> Keys:
    """A pair by openssl."""
    found = Keys(folder / f"{name}.key", folder / f"{name}.pub")
    how = ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]
    subprocess.run(["openssl", "genpkey", *how, "-out", str(found.private)], check=True, capture_output=True)
    words = ["openssl", "pkey", "-in", str(found.private), "-pubout", "-out", str(found.public)]
    subprocess.run(words, check=True, capture_output=True)
    return found


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    return make_keys(tmp_path_factory.mktemp("keys"), "own")


def published(
    served: Served,
    keys: Keys,
    folder: Path,
    *words: str,
    name: str = "team",
    code: int = 0,
    env: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Publish `tiny`; gives the JSON document."""
    base = ["--json", "--stacks", str(folder), "publish", "tiny", "--registry", f"{served.address}/{name}"]
    done = cli(*base, "--key", str(keys.private), *words, env={**served.environment, **(env or {})})
    assert done.returncode == code, done.stderr
    assert PASSWORD not in done.stdout + done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document if code else document["published"][0]


def context(served: Served) -> ssl.SSLContext:
    """A client's TLS context that trusts the registry's CA."""
    return ssl.create_default_context(cafile=str(served.ca))
