"""The files of a lock in a real registry with TLS and a login: taken by oras, and by a home with no other network."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from builder.files import sha256_of
from builder.lock.existing import locked
from builder.lock.model import Artifact, StackLock
from builder.registry.files import ARTIFACT
from builder.settings import load
from builder.spec import Stacks
from tests.conftest import HOME, REPO, cli, document
from tests.fleet.network import Network, network
from tests.publish.conftest import PASSWORD, Served, serve, tool


@pytest.fixture(scope="module")
def cable() -> Iterator[Network]:
    with network() as found:
        yield found


@pytest.fixture(scope="module")
def store(cable: Network, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A registry that the namespace reaches, and nothing else from there."""
    with serve(tmp_path_factory.mktemp("files"), host=cable.here) as found:
        yield found


@pytest.fixture(scope="module")
def lock(tiny: Path) -> StackLock:
    (one,) = Stacks(load(stacks=(tiny,))).named(["tiny"])
    found = locked(one)
    assert isinstance(found, StackLock)
    return found


@pytest.fixture(scope="module")
def shared(store: Served, tiny: Path) -> dict[str, Any]:
    return _share(store, tiny)


def _share(store: Served, tiny: Path) -> dict[str, Any]:
    words = ["--json", "--stacks", str(tiny), "share", "tiny", "--registry", f"{store.address}/team/files"]
    done = cli(*words, env=store.environment)
    assert PASSWORD not in done.stdout + done.stderr
    found: dict[str, Any] = document(done)["shared"][0]
    return found


def _fetch(cable: Network, store: Served, tiny: Path, home: Path, code: int = 0) -> tuple[dict[str, Any], str]:
    """What a fetch into another home gives, in the namespace; its JSON and its talk."""
    words = ["--json", "--stacks", str(tiny), "fetch", "tiny"]
    environment = {**os.environ, **store.environment, "MODELSTACKS_HOME": str(home)}
    environment |= {"MODELSTACKS_FILES": f"{store.address}/team/files", "MODELSTACKS_CONNECT_TIMEOUT": "2"}
    done = subprocess.run(
        ["ip", "netns", "exec", cable.namespace, sys.executable, "-m", "builder", *words],
        cwd=REPO,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert PASSWORD not in done.stdout + done.stderr
    return document(done, code=code), done.stderr


def _wheel(lock: StackLock) -> Artifact:
    return next(item for item in lock.wheels if item.filename.startswith("six-"))


def test_a_second_time_nothing_is_sent(shared: dict[str, Any], store: Served, tiny: Path, lock: StackLock) -> None:
    again = _share(store, tiny)
    assert shared["sent"] == shared["bytes"] == sum(item.size for item in lock.carried())
    assert (again["artifact"], again["sent"], again["there"]) == (
        shared["artifact"],
        0,
        shared["there"] + again["files"],
    )
    assert again["tag"] == f"tiny-{lock.digest[:12]}"


def test_oras_of_the_distribution_pulls_them(
    shared: dict[str, Any], store: Served, lock: StackLock, tmp_path: Path
) -> None:
    login = ["--ca-file", str(store.ca), "--registry-config", str(store.docker / "config.json"), "--plain-http=false"]
    name = f"{store.address}/team/files:{shared['tag']}"
    words = [tool("oras"), "pull", *login, "--output", str(tmp_path), name]
    subprocess.run(words, check=True, capture_output=True, env={**os.environ, **store.environment})
    for item in lock.carried():
        assert sha256_of(tmp_path / item.folder / item.filename) == item.sha256
    words = [tool("oras"), "manifest", "fetch", *login, name]
    said = subprocess.run(words, check=True, capture_output=True, env={**os.environ, **store.environment})
    assert json.loads(said.stdout)["artifactType"] == ARTIFACT


def test_a_home_without_another_network_has_them_from_there(
    shared: dict[str, Any], cable: Network, store: Served, tiny: Path, lock: StackLock, tmp_path: Path
) -> None:
    found, _ = _fetch(cable, store, tiny, tmp_path)
    assert len(found["stacks"]["tiny"]["fetched"]) == shared["files"]
    for item in lock.artifacts():
        assert sha256_of(tmp_path / item.folder / item.filename) == item.sha256


@pytest.fixture
def home(lock: StackLock, tmp_path: Path) -> Path:
    """A home that lacks the wheel alone."""
    for item in lock.artifacts():
        place = tmp_path / item.folder / item.filename
        if item != _wheel(lock):
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(HOME / item.folder / item.filename, place)
    return tmp_path


def test_what_came_before_is_not_fetched_again(
    shared: dict[str, Any], cable: Network, store: Served, tiny: Path, lock: StackLock, home: Path
) -> None:
    """The registry's own copy has another first half, so that only who goes on from the middle gets the file."""
    item = _wheel(lock)
    blob = store.blob(f"sha256:{item.sha256}")
    good = blob.read_bytes()
    part = home / item.folder / ".partial" / f"{item.sha256}.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(good[:5000])
    blob.write_bytes(bytes(5000) + good[5000:])
    try:
        found, said = _fetch(cable, store, tiny, home)
    finally:
        blob.write_bytes(good)
    assert found["stacks"]["tiny"]["fetched"] == [item.filename], said
    assert (home / item.folder / item.filename).read_bytes() == good


def test_a_registry_that_serves_other_bytes_is_named_and_not_believed(
    shared: dict[str, Any], cable: Network, store: Served, tiny: Path, lock: StackLock, home: Path
) -> None:
    item = _wheel(lock)
    blob = store.blob(f"sha256:{item.sha256}")
    good = blob.read_bytes()
    blob.write_bytes(bytes(len(good)))
    try:
        _, said = _fetch(cable, store, tiny, home, code=3)  # nor can anything else be reached
    finally:
        blob.write_bytes(good)
    assert f"{item.filename} from this address is not the locked file; it comes from elsewhere" in said
    assert not (home / item.folder / item.filename).exists()


@pytest.mark.parametrize("lacks", ["all", "one"])
def test_what_the_registry_cannot_give_comes_from_where_it_came_before(
    lacks: str, store: Served, shared: dict[str, Any], tiny: Path, lock: StackLock, home: Path
) -> None:
    """The registry is away, or another repository of it lacks the file."""
    where = "localhost:1/team/files" if lacks == "all" else f"{store.address}/team/others"
    words = ["--json", "--stacks", str(tiny), "--set", f"files={where}", "fetch", "tiny"]
    done = cli(*words, env={**store.environment, "MODELSTACKS_HOME": str(home), "SSL_CERT_FILE": ""})
    assert document(done)["stacks"]["tiny"]["fetched"] == [_wheel(lock).filename]
    assert ("what is missing comes from elsewhere" in done.stderr) == (lacks == "all")


def test_a_file_that_is_not_here_is_not_shared(store: Served, tiny: Path, lock: StackLock, home: Path) -> None:
    words = ["--stacks", str(tiny), "share", "tiny", "--registry", f"{store.address}/team/more"]
    done = cli(*words, env={**store.environment, "MODELSTACKS_HOME": str(home)})
    assert done.returncode == 1
    assert f"{_wheel(lock).filename} of tiny is not here" in done.stderr
    assert cli("--stacks", str(tiny), "share", "tiny").returncode == 2
