"""A base from a registry, by Docker Engine and a real registry: its digest, its packages, a build without either."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from builder import settings as site
from builder.build import base as bases
from builder.build import build
from builder.engine.client import Engine
from builder.errors import InputError, SurroundingsError
from builder.fetch import fetch
from builder.lock import base, read, resolve
from builder.render import base_tag
from builder.settings import Settings
from builder.spec.model import Stack
from builder.spec.stacks import load_stack
from builder.ui import Ui
from tests.conftest import IMAGES, REPO
from tests.registry import registry


@dataclass
class Served:
    """An image of Debian 12 with Python in a registry that is down. digest: as the push told it."""

    folder: Path
    address: str
    digest: str

    @property
    def name(self) -> str:
        return f"{self.address}/team/debian"

    @property
    def reference(self) -> str:
        return f"{self.name}:12"


@pytest.fixture(scope="module")
def served(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The base of the shipped stack onnx-cpu, bootstrapped from fetched files and pushed to a registry."""
    settings, lock = site.load(), read(REPO / "stacks" / "onnx-cpu")
    fetch(lock.base.debs, lock.indexes, settings, Ui())
    local = bases.ensure(lock.base, settings, engine, Ui())
    folder = tmp_path_factory.mktemp("registry")
    with registry(folder) as address:
        found = Served(folder, address, "")
        engine.tag(local, found.reference)
        found.digest = engine.run(["push", found.reference]).stdout.split("digest: ")[1].split()[0]
        engine.remove(found.reference)
    yield found
    for name in (found.reference, f"{found.name}@{found.digest}"):
        engine.remove(name)


@pytest.fixture
def up(served: Served) -> Iterator[None]:
    """The registry answers during the test."""
    with registry(served.folder, served.address):
        yield


def stack_on(image: str, folder: Path, *, glibc: str = "2.36", **keys: object) -> Stack:
    family = {"summary": "test", "base": {"image": image, "glibc": glibc}, "python": "3.11"}
    (folder / "families").mkdir(parents=True, exist_ok=True)
    (folder / "families" / "own.yaml").write_text(json.dumps(family))
    (folder / "over").mkdir(exist_ok=True)
    (folder / "over" / "stack.yaml").write_text(json.dumps({"summary": "Over", "family": "own"} | keys))
    return load_stack("over", Settings(home=folder, stacks=(folder,)))


def test_an_image_is_locked_to_its_digest_and_built_with_the_registry_gone(
    served: Served, engine: Engine, tmp_path: Path
) -> None:
    settings = Settings(home=tmp_path / "home", stacks=(tmp_path / "stacks",))
    stack = stack_on(served.reference, tmp_path / "stacks", packages=["six==1.17.0"], system=["file", "python3"])
    tag = f"{IMAGES}/made:{secrets.token_hex(6)}"
    with registry(served.folder, served.address):
        lock = resolve.lock(stack, tmp_path / "stacks" / "over", settings, Ui()).lock
        fetch(lock.artifacts(), lock.indexes, settings, Ui())
    assert [blob.project for blob in lock.base.blobs] == ["manifest", "config", "layer"]
    assert {path.name for path in (settings.assets / "bases" / "blobs").glob("[0-9a-f]*")} == {
        blob.sha256 for blob in lock.base.blobs
    }
    for name in (served.reference, lock.base.reference):
        engine.remove(name)
    assert (lock.base.kind, lock.base.digest) == ("image", served.digest)
    assert lock.base.reference == f"{served.name}@{served.digest}"
    assert sorted(item.project for item in lock.debs) == ["file", "libmagic-mgc", "libmagic1"]
    try:
        build(stack, lock, settings, engine, Ui(), tag=tag)
        labels = json.loads(engine.run(["image", "inspect", "--format", "{{json .Config.Labels}}", tag]).stdout)
        assert labels["org.opencontainers.image.base.digest"] == served.digest
        assert labels["org.opencontainers.image.base.name"] == served.name
        words = ["run", "--rm", "--network", "none", tag, "sh", "-c", "file --version && python -c 'import six'"]
        assert "file-5" in engine.run(words).stdout
    finally:
        for one in (tag, base_tag(lock.base)):
            engine.remove(one)


@pytest.mark.usefixtures("up")
def test_what_is_wrong_with_an_image_is_told(served: Served, tmp_path: Path) -> None:
    def refusal(stack: Stack) -> InputError:
        with pytest.raises(InputError) as caught:
            base.locked(stack, site.load())
        return caught.value

    error = refusal(stack_on(served.reference, tmp_path, glibc="2.37"))
    assert error.problem.startswith("the family says glibc 2.37, its base has libc6 2.36-")
    assert error.fix == 'write glibc: "2.36" in the family'
    missing = served.reference.replace(":12", ":13")
    error = refusal(stack_on(missing, tmp_path))
    assert error.problem == f"the registry gives no image {missing}"
    assert error.fix == "correct `image` in the family, or log in with `docker login`"


@pytest.mark.usefixtures("up")
def test_a_locked_digest_is_kept(served: Served, tmp_path: Path) -> None:
    exact = f"{served.reference}@{served.digest}"
    both = base.locked(stack_on(exact, tmp_path), site.load())
    found, debs = both.base, both.debs
    assert (found.reference, debs) == (f"{served.name}@{served.digest}", ())


@pytest.mark.usefixtures("up")
def test_a_newer_c_library_than_stated_is_told_and_taken(served: Served, tmp_path: Path) -> None:
    said: list[str] = []
    base.locked(stack_on(served.reference, tmp_path, glibc="2.31"), site.load(), said.append)
    assert said == [
        "the family says glibc 2.31, its base has 2.36; wheels are chosen for 2.31, which run there",
    ]


@pytest.mark.usefixtures("up")
def test_an_image_without_dpkg_is_refused(served: Served, engine: Engine, tmp_path: Path) -> None:
    reference = served.reference.replace("debian:12", "empty:1")
    (tmp_path / "Dockerfile").write_text("FROM scratch\nENV A=1\n")
    engine.run(["buildx", "build", "--quiet", "--load", "-t", reference, str(tmp_path)])
    engine.run(["push", reference])
    try:
        with pytest.raises(InputError) as caught:
            base.locked(stack_on(reference, tmp_path), site.load())
        assert "has no /var/lib/dpkg/status" in caught.value.problem
        assert caught.value.fix == "choose an image of Debian or Ubuntu"
    finally:
        engine.remove(reference)


@pytest.mark.usefixtures("engine")
def test_a_registry_that_does_not_answer_is_told(tmp_path: Path) -> None:
    with pytest.raises(SurroundingsError) as caught:
        base.locked(stack_on("127.0.0.1:1/team/debian:12", tmp_path), site.load())
    assert caught.value.problem == "the registry of 127.0.0.1:1/team/debian:12 cannot be reached"
    assert caught.value.fix == "check the network and the engine's own proxy, mirrors and certificates"


def test_an_image_is_locked_under_its_own_name_from_a_mirror(served: Served, up: None, tmp_path: Path) -> None:
    stack = stack_on("registry.example/team/debian:12", tmp_path)
    mirrors = (f"{served.address}/absent", f"{served.address}/team")
    settings = Settings(home=tmp_path, stacks=(tmp_path,), images={"registry.example/team": mirrors})
    locked = base.locked(stack, settings).base
    assert locked.reference == f"registry.example/team/debian@{served.digest}"
