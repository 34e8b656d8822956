"""The whole chain with an engine on another machine: over TLS with client certificates, and over ssh."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

from builder.engine.client import Engine
from builder.engine.endpoint import Endpoint
from tests.conftest import HOME, cli, document
from tests.fleet.conftest import Far, client_files, ssh_door
from tests.publish.conftest import Keys, Served, published


@pytest.fixture(autouse=True)
def told_by_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT"):
        monkeypatch.delenv(name, raising=False)


@dataclass(frozen=True)
class Door:
    """A way to the engine. environment: of one that goes it. folder: holds what opens it."""

    kind: str
    environment: dict[str, str]
    folder: Path


@pytest.fixture(scope="module", params=["tls", "ssh"])
def door(request: pytest.FixtureRequest, far: Far, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    folder = tmp_path_factory.mktemp("door")
    if request.param == "tls":
        yield Door("tls", far.tls, far.certificates)
    else:
        with ssh_door(folder, far.engine.host) as environment:
            yield Door("ssh", environment, folder)


@pytest.mark.heavy
def test_the_chain_gives_the_image_of_this_machines_engine(
    door: Door, far: Far, engine: Engine, tiny: Path, served: Served, keys: Keys
) -> None:
    """Heavy: sends the base and builds, half a minute for each way. Nothing of it is there at first."""
    ours = document(cli("--json", "--stacks", str(tiny), "smoke", "tiny", "--gpu", "none"))["reports"][0]
    there = Engine.connect(far.engine.host)
    for one in there.client.images.list():
        there.client.images.remove(str(one.id), force=True)
    there.run(["builder", "prune", "--all", "--force"])
    before = (HOME / "build" / "tiny" / "smoke" / "evidence.json").read_bytes()
    words = ["--json", "--stacks", str(tiny)]
    first = document(cli("--json", "check", "--host", "onnx-cpu", env=door.environment))
    assert first["host"]["engine"]["root_dir"] == there.info.root_dir
    assert first["host"]["engine_disk"] is None
    (made,) = document(cli(*words, "stack", "tiny", "--gpu", "none", env=door.environment))["stacks"]
    assert made["image"]["built"]
    assert made["image"]["id"] == ours["image_id"]
    facts = there.image(made["image"]["tag"])
    assert facts
    assert facts.id == made["image"]["id"]
    told = document(cli(*words, "smoke", "tiny", "--gpu", "none", env=door.environment))["reports"][0]
    assert (told["image_id"], told["failed"]) == (ours["image_id"], 0)
    away = published(served, keys, tiny, name="far", env=door.environment)
    (HOME / "build" / "tiny" / "smoke" / "evidence.json").write_bytes(before)
    assert away["digest"] == published(served, keys, tiny, name="near")["digest"]
    seen = document(cli("--json", "check", "--host", "onnx-cpu", env=door.environment))
    assert seen["host"]["engine_disk"]["total"] == shutil.disk_usage(far.engine.folder).total
    assert there.containers(stopped=True) == []
    there.close()


def test_an_engine_elsewhere_is_asked_for_its_own_facts(door: Door, far: Far) -> None:
    found = document(cli("--json", "check", "--host", "onnx-cpu", env=door.environment))
    here = document(cli("--json", "check", "--host", "onnx-cpu", env={"DOCKER_HOST": far.engine.host}))
    told, same = found["host"]["engine"], here["host"]["engine"]
    assert told.pop("host") == door.environment["DOCKER_HOST"]
    same.pop("host")
    assert told == same
    (one,) = found["on_host"]["onnx-cpu"]
    assert one["rule"] == "host_elsewhere"


def test_a_context_that_has_the_files_will_do(far: Far, tmp_path: Path) -> None:
    tls = ",".join(f"{name}={far.certificates}/{name}.pem" for name in ("ca", "cert", "key"))
    environment = {"DOCKER_CONFIG": str(tmp_path), "PATH": os.environ["PATH"]}
    words = ["docker", "context", "create", "far", "--docker", f"host={far.tls['DOCKER_HOST']},{tls}"]
    subprocess.run(
        words, check=True, capture_output=True, env={**far.tls, **environment, "PATH": "/usr/bin:/usr/local/bin"}
    )
    found = document(cli("--json", "--set", "engine=far", "check", "--host", "onnx-cpu", env=environment))
    assert found["host"]["engine"]["root_dir"] == str(far.engine.folder / "data")


@pytest.mark.parametrize("wrong", ["root", "client"])
def test_who_is_not_trusted_is_not_talked_to(far: Far, tmp_path: Path, wrong: str) -> None:
    """A server of another authority's, and a client that the server does not know."""
    stranger = trustme.CA()
    roots = (stranger, far.authority) if wrong == "root" else (far.authority, stranger)
    files = client_files(*roots, tmp_path / "files")
    done = cli("build", "onnx-cpu", env={**far.tls, "DOCKER_CERT_PATH": str(files)})
    assert done.returncode == 3
    assert "no Docker Engine answers there" in done.stderr
    assert ("CERTIFICATE_VERIFY_FAILED" if wrong == "root" else "unknown ca") in done.stderr


def test_a_key_that_ssh_does_not_take_is_named(far: Far, tmp_path: Path) -> None:
    with ssh_door(tmp_path, far.engine.host) as environment:
        (tmp_path / "authorized").write_text("")
        done = cli("build", "onnx-cpu", env=environment)
    assert done.returncode == 3
    assert "Permission denied (publickey)" in done.stderr


def test_nothing_runs_on_when_a_client_over_ssh_is_closed(far: Far, tmp_path: Path) -> None:
    with ssh_door(tmp_path, far.engine.host) as environment, pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", environment["PATH"])
        host = environment["DOCKER_HOST"]
        endpoint = Endpoint(host=host)
        assert endpoint.client().ping()
        assert dialled(host)
        endpoint.close()
        for _ in range(50):
            if not (left := dialled(host)):
                break
            time.sleep(0.1)
        assert left == []


def test_all_requests_over_ssh_share_one_connection(engine: Engine, tmp_path: Path) -> None:
    """Each has a URL of its own, and the SDK would keep a connection for each."""
    with ssh_door(tmp_path, engine.info.host) as environment, pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", environment["PATH"])
        host = environment["DOCKER_HOST"]
        endpoint = Endpoint(host=host)
        api = endpoint.client().api
        for ask in (api.ping, api.version, api.info, api.images, api.df):
            ask()
        assert len(dialled(host)) == 1
        endpoint.close()


def dialled(host: str) -> list[str]:
    words = ["pgrep", "-f", f"docker --host {host} system dial-stdio"]
    return subprocess.run(words, capture_output=True, text=True, check=False).stdout.split()
