"""A BuildKit that is not the engine's: the same image, in both image stores; and steps kept in a registry."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from builder.engine.client import Engine
from tests.conftest import HOME, IMAGES, cli, document
from tests.fleet.buildkit import container_builder, remote_builder
from tests.fleet.network import network
from tests.private_engine import PrivateEngine, Remote, Store, private_engine
from tests.publish.conftest import PASSWORD, Served, serve

TAG = f"{IMAGES}/tiny:latest"
LOG = HOME / "build" / "tiny" / "build.log"


@pytest.fixture(autouse=True)
def told_by_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT", "BUILDX_BUILDER"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def kit() -> Iterator[PrivateEngine]:
    """The engine whose BuildKit is the one of one's own."""
    with private_engine("containerd") as found:
        yield found


def _build(tiny: Path, env: dict[str, str], engine: Engine) -> str:
    """Build the image where it is not; gives its id."""
    engine.remove(TAG)
    (made,) = document(cli("--json", "--stacks", str(tiny), "build", "tiny", env=env))["images"]
    assert made["built"]
    found = engine.image(TAG)
    assert found
    assert found.id == made["id"]
    return found.id


@pytest.mark.heavy
@pytest.mark.parametrize("store", ["overlay2", "containerd"])
def test_the_image_is_the_one_of_the_engines_own_buildkit(
    store: Store, kit: PrivateEngine, engine: Engine, tiny: Path, tmp_path: Path
) -> None:
    """Heavy: builds in two engines, a minute. The engine is this machine's, or another with containerd's store."""
    with _engine(store, engine) as (there, at), remote_builder("own", kit.host, tmp_path) as named:
        own = _build(tiny, at, there)
        other = Engine.connect(kit.host)
        other.run(["builder", "prune", "--all", "--force"])
        chosen = {**at, **named, "MODELSTACKS_BUILDER": "own", "BUILDX_BUILDER": "nowhere"}
        assert _build(tiny, chosen, there) == own
        log = LOG.read_text()
        assert "exporting to docker image format" in log
        assert not re.search(r"^#\d+ CACHED$", log, re.MULTILINE)
        assert other.image(TAG) is None


@pytest.mark.heavy
def test_one_that_buildx_starts_in_a_container_makes_the_same_image(engine: Engine, tiny: Path, tmp_path: Path) -> None:
    """By its docker-container driver. Heavy: packs this machine's engine into an image, and builds twice."""
    own = _build(tiny, {}, engine)
    (base,) = set(re.findall(r"^FROM (\S+) AS base$", (HOME / "build/tiny/Dockerfile").read_text(), re.MULTILINE))
    name = f"box-{os.getpid()}"
    with container_builder(name, base, f"{IMAGES}/buildkit:latest", tmp_path) as named:
        assert engine.run(["ps", "--quiet", "--filter", f"name=buildx_buildkit_{name}"]).stdout
        assert _build(tiny, {**named, "MODELSTACKS_BUILDER": name}, engine) == own
        log = LOG.read_text()
        assert "exporting to docker image format" in log
        assert not re.search(r"^#\d+ CACHED$", log, re.MULTILINE)
    assert not engine.run(["ps", "--all", "--quiet", "--filter", f"name=buildx_buildkit_{name}"]).stdout


@contextmanager
def _engine(store: Store, engine: Engine) -> Iterator[tuple[Engine, dict[str, str]]]:
    if store == "overlay2":
        yield engine, {}
        return
    with private_engine(store) as found:
        yield Engine.connect(found.host), {"DOCKER_HOST": found.host}


def test_a_builder_that_cannot_be_used_is_named(tiny: Path, engine: Engine, tmp_path: Path) -> None:
    engine.remove(TAG)
    words = ["--stacks", str(tiny), "--set", "builder=nowhere", "build", "tiny"]
    done = cli(*words)
    assert done.returncode == 3
    assert "buildx has no usable builder nowhere" in done.stderr
    environment = {**os.environ, "DOCKER_CONFIG": str(tmp_path)}
    create = ["docker", "context", "create", "nowhere", "--docker", f"host={engine.info.host}"]
    subprocess.run(create, check=True, capture_output=True, env=environment)
    done = cli(*words, env={"DOCKER_CONFIG": str(tmp_path)})
    assert done.returncode == 2
    assert "is the own one of another engine" in done.stderr


def test_a_cluster_that_does_not_answer_is_told_as_buildx_says_it(tiny: Path, engine: Engine, tmp_path: Path) -> None:
    """No cluster is here; the builder is made as docs/fleet.md has it, and its API is a port that nobody listens on."""
    cluster = {"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}
    context = {"name": "c", "context": {"cluster": "c", "user": "u"}}
    users = [{"name": "u", "user": {}}]
    text = {"apiVersion": "v1", "kind": "Config", "current-context": "c", "users": users}
    (tmp_path / "kube").write_text(json.dumps({**text, "clusters": [cluster], "contexts": [context]}))
    there = {"KUBECONFIG": str(tmp_path / "kube"), "BUILDX_CONFIG": str(tmp_path / "buildx")}
    options = "namespace=build,replicas=2,requests.cpu=4,nodeselector=kubernetes.io/arch=amd64"
    words = ["docker", "buildx", "create", "--name", "pods", "--driver", "kubernetes", "--driver-opt", options]
    subprocess.run(words, check=True, capture_output=True, env={**os.environ, **there})
    engine.remove(TAG)
    done = cli("--stacks", str(tiny), "--set", "builder=pods", "build", "tiny", env=there)
    assert done.returncode == 3
    assert "the builder does not start" in done.stderr
    assert "namespaces/build/deployments/pods0" in done.stderr
    assert "buildx inspect --bootstrap" in done.stderr


@contextmanager
def _far(store: Store, namespace: str, store_of: Served) -> Iterator[Engine]:
    trusting = Remote(namespace, "", {}, {"SSL_CERT_FILE": str(store_of.ca)})
    with private_engine(store, remote=trusting) as found:
        yield Engine.connect(found.host)


@pytest.mark.heavy
def test_steps_that_one_engine_left_in_a_registry_are_taken_by_another(
    engine: Engine, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Heavy: two engines begin with nothing. The registry has TLS and a login; the second engine has overlay2."""
    with network() as cable, serve(tmp_path, host=cable.here) as store:
        cached = {**store.environment, "MODELSTACKS_BUILD_CACHE": f"{store.address}/team/cache"}
        near = _build(tiny, {}, engine)
        with _far("containerd", cable.namespace, store) as one:
            first = _build(tiny, {**cached, "DOCKER_HOST": one.info.host}, one)
        assert "exporting cache to registry" in LOG.read_text()
        assert not re.search(r"^#\d+ ERROR.*export", LOG.read_text(), re.MULTILINE)
        monkeypatch.setenv("DOCKER_CONFIG", str(store.docker))
        with store.repository("team/cache") as repository:
            assert repository.manifest("tiny")
        with _far("overlay2", cable.namespace, store) as two:
            assert _build(tiny, {**cached, "DOCKER_HOST": two.info.host}, two) == near
            log = LOG.read_text()
        assert len(re.findall(r"^#\d+ CACHED$", log, re.MULTILINE)) >= 2
        assert not re.search(r"^#\d+ \d+\.\d+ ", log, re.MULTILINE), "a step ran"
        assert "exporting cache" not in log
        with _far("containerd", cable.namespace, store) as three:
            assert _build(tiny, {**cached, "DOCKER_HOST": three.info.host}, three) == first
        assert PASSWORD not in log
