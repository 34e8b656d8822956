"""The shipped service at a site whose registry is a local one over TLS with a private CA.

nvcr.io cannot be asked by a test, and its image has 58 GB; what the registry holds under its name is a small stand-in.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import trustme

from builder.engine.client import Engine
from builder.fetch import fetch
from builder.files import held
from builder.lock import apt
from builder.settings import Settings
from builder.settings import load as site
from builder.spec import load
from builder.spec.service import Service
from builder.ui import Ui
from tests.conftest import IMAGES, REPO, remove_images
from tests.registry import registry

NAME = "standin-nim"  # the shipped stack file under a name of its own
STAND_IN = "nim/nvidia/audio2face-3d"
TAG = "2.0.0"


@dataclass
class Served:
    """A registry and the digest of the stand-in in it. ca: its private root. pem: the server's key and certificates."""

    folder: Path
    address: str
    digest: str
    ca: Path
    pem: Path

    def settings(self, root: Path) -> Settings:
        """A site at this folder, whose mirror of nvcr.io is the local registry."""
        stacks = root / "stacks"
        (stacks / NAME).mkdir(parents=True)
        shutil.copy(REPO / "stacks" / "audio2face-nim" / "stack.yaml", stacks / NAME)
        mirrors = {"nvcr.io/nim/nvidia": (f"{self.address}/nim/nvidia",)}
        return Settings(home=root / "home", stacks=(stacks,), images=mirrors, ca_bundle=(self.ca,), image_prefix=IMAGES)


def pushed(engine: Engine, folder: Path, address: str, text: str) -> str:
    """Put a stand-in of this text into the registry; gives its digest."""
    reference = f"{address}/{STAND_IN}:{TAG}"
    (folder / "standin.txt").write_text(text)
    (folder / "Dockerfile").write_text(
        'FROM scratch\nCOPY standin.txt /\nENV STANDIN=of-audio2face-3d\nEXPOSE 8000 52000\nCMD ["/none"]\n'
    )
    engine.run(["buildx", "build", "--quiet", "--provenance=false", "--load", "-t", reference, str(folder)])
    try:
        return engine.run(["push", reference]).stdout.split("digest: ")[1].split()[0]
    finally:
        engine.remove(reference)


@pytest.fixture(scope="session")
def served(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Served:
    folder, image = tmp_path_factory.mktemp("registry"), tmp_path_factory.mktemp("image")
    authority = trustme.CA(organization_unit_name="private-root")
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(folder / "server.pem"))
    with registry(folder) as address:  # the engine pushes over http, which it speaks on loopback
        digest = pushed(engine, image, address, "not the real Audio2Face-3D\n")
    return Served(folder, address, digest, folder / "ca.pem", folder / "server.pem")


@pytest.fixture
def up(served: Served) -> Iterator[Served]:
    """The registry answers, over TLS alone."""
    with registry(served.folder, served.address, tls=str(served.pem)):
        yield served


@pytest.fixture
def settings(served: Served, tmp_path: Path) -> Settings:
    return served.settings(tmp_path / "site")


@pytest.fixture
def service(settings: Settings) -> Service:
    found = load(NAME, settings)
    assert isinstance(found, Service)
    return found


@pytest.fixture
def clean(engine: Engine) -> Iterator[None]:
    """Takes the names of the service's images away again."""
    yield
    remove_images(engine, NAME)


def trusting_nobody(settings: Settings) -> Settings:
    """The same site without the private CA."""
    return replace(settings, ca_bundle=())


def environment(settings: Settings, folder: Path) -> dict[str, str]:
    """The site as the command line is told of it; folder: for its settings file."""
    (mirror,) = settings.images["nvcr.io/nim/nvidia"]
    (folder / "modelstacks").mkdir()
    (folder / "modelstacks" / "modelstacks.toml").write_text(f'[images]\n"nvcr.io/nim/nvidia" = ["{mirror}"]\n')
    return {
        "XDG_CONFIG_HOME": str(folder),
        "MODELSTACKS_HOME": str(settings.home),
        "MODELSTACKS_STACKS": str(settings.stacks[0]),
        "CA_BUNDLE": str(settings.ca_bundle[0]),
    }


@pytest.fixture
def composing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Docker's compose, of Debian 13, as a plug-in of the docker command; brought once to the user's cache."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "modelstacks" / "tests"
    plugin = cache / "compose" / "cli-plugins" / "docker-compose"
    with held(cache / "compose.lock"):
        if not plugin.exists():
            own = replace(site(), home=cache / "compose-home")
            with apt.opened("debian", ("trixie",), own) as private:
                (deb,) = [one for one in private.install(("docker-compose",)) if one.project == "docker-compose"]
            fetch([deb], {}, own, Ui())
            words = ["dpkg-deb", "--extract", str(own.home / deb.folder / deb.filename), str(cache / "compose.new")]
            subprocess.run(words, check=True)
            plugin.parent.mkdir(parents=True, exist_ok=True)
            (cache / "compose.new" / "usr/libexec/docker/cli-plugins/docker-compose").replace(plugin)
            shutil.rmtree(own.home)
            shutil.rmtree(cache / "compose.new")
    monkeypatch.setenv("DOCKER_CONFIG", str(plugin.parent.parent))
