"""Connecting: what an engine is and can do, and the one remedy for whatever is missing."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import UnixStreamServer

import pytest

from builder.engine import Engine, EngineError
from builder.errors import JobError
from builder.files import sha256_of
from tests.private_engine import PrivateEngine, private_engine

pytestmark = pytest.mark.skipif(shutil.which("docker") is None, reason="needs a docker command")


@pytest.fixture(scope="module", params=["overlay2", "containerd"])
def second(request: pytest.FixtureRequest) -> Iterator[tuple[str, PrivateEngine]]:
    with private_engine(request.param) as engine:
        yield request.param, engine


class FakeEngine(BaseHTTPRequestHandler):
    """A FAKE engine, which answers /version and, with the file of its server, /info."""

    def do_GET(self) -> None:
        says = json.dumps({"ApiVersion": "1.45"}) if self.path == "/version" else self.server.info.read_text()  # type: ignore[attr-defined]
        self.send_response(200)
        self.send_header("Content-Length", str(len(says)))
        self.end_headers()
        self.wfile.write(says.encode())

    def log_message(self, *_: object) -> None:
        """Nothing: its client is a socket without an address."""


@pytest.fixture
def fake_docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A FAKE engine and docker command, for engines and plugins that cannot be had here.

    Both say what is in the file; the command of its ClientInfo alone.
    """
    script = tmp_path / "bin" / "docker"
    script.parent.mkdir()
    info, address = script.with_name("docker.info"), f"{tmp_path}/fake.sock"
    plugins = f"import json; print(json.dumps(json.load(open('{info}')).get('ClientInfo')))"
    endpoint = json.dumps([{"Endpoints": {"docker": {"Host": f"unix://{address}"}}}])
    script.write_text(
        f'#!/bin/sh\nif [ "$1" = info ]; then {sys.executable} -c "{plugins}"\nelse echo \'{endpoint}\'; fi\n'
    )
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{script.parent}:{os.environ['PATH']}")
    with UnixStreamServer(address, FakeEngine) as server:
        server.info = info  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield info
        server.shutdown()
        thread.join()


def archive(path: Path) -> Path:
    """A docker image archive with one layer that holds one file."""
    layer = path.with_name("layer.tar")
    with tarfile.open(layer, "w") as tar:
        entry = tarfile.TarInfo("hello")
        entry.size = 5
        tar.addfile(entry, io.BytesIO(b"hello"))
    config = {
        "architecture": "amd64",
        "os": "linux",
        "created": "2026-01-01T00:00:00Z",
        "config": {"Labels": {"a": "b"}},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{sha256_of(layer)}"]},
    }
    manifest = [{"Config": "config.json", "RepoTags": ["tests/engine:one"], "Layers": ["layer.tar"]}]
    with tarfile.open(path, "w") as tar:
        for name, value in (("config.json", config), ("manifest.json", manifest)):
            entry = tarfile.TarInfo(name)
            entry.size = len(json.dumps(value))
            tar.addfile(entry, io.BytesIO(json.dumps(value).encode()))
        tar.add(layer, "layer.tar")
    return path


def test_the_engine_of_this_machine_tells_what_it_is(engine: Engine) -> None:
    expected = engine.client.info()
    info = engine.info
    engine.close()
    assert info.version == expected["ServerVersion"]
    assert info.root_dir == expected["DockerRootDir"]
    assert info.architecture == expected["Architecture"]
    assert "://" in info.host
    assert info.buildx in engine.run(["buildx", "version"]).stdout


def test_store_is_told_and_images_are_loaded_named_and_removed(
    second: tuple[str, PrivateEngine], tmp_path: Path
) -> None:
    store, private = second
    engine = Engine.connect(private.host)
    assert (engine.info.store, engine.info.host) == (store, private.host)
    assert engine.load(archive(tmp_path / "image.tar")) == ("tests/engine:one",)
    found = engine.image("tests/engine:one")
    assert found is not None
    assert found.labels == {"a": "b"}
    assert found.layers == (f"sha256:{sha256_of(tmp_path / 'layer.tar')}",)
    assert found.created.startswith("2026-01-01T00:00:00")
    assert found.size >= 5
    engine.tag("tests/engine:one", "tests/engine:two")
    assert engine.image("tests/engine:two") == found
    assert engine.client.images.get("tests/engine:two").tags == ["tests/engine:one", "tests/engine:two"]
    engine.close()
    for name in ("tests/engine:one", "tests/engine:two", "tests/engine:two"):
        engine.remove(name)
    assert engine.image("tests/engine:two") is None


def test_a_docker_context_is_honoured(
    second: tuple[str, PrivateEngine], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, private = second
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.delenv("DOCKER_CONTEXT", raising=False)
    subprocess.run(
        ["docker", "context", "create", "second", "--docker", f"host={private.host}"], check=True, capture_output=True
    )
    monkeypatch.setenv("DOCKER_CONTEXT", "second")
    engine = Engine.connect()
    assert engine.info.host == private.host
    assert engine.info.root_dir == str(private.folder / "data")
    assert engine.client.info()["DockerRootDir"] == engine.info.root_dir
    assert engine.run(["info", "--format", "{{.DockerRootDir}}"]).stdout.strip() == engine.info.root_dir
    engine.close()


def test_a_command_that_fails_shows_its_last_words(engine: Engine) -> None:
    with pytest.raises(JobError, match=r"docker image inspect failed with exit code 1: .*[Nn]o such image"):
        engine.run(["image", "inspect", "tests/engine:absent"])
    assert engine.run(["image", "inspect", "tests/engine:absent"], check=False).returncode == 1


def refusal(lacks: str) -> str:
    with pytest.raises(EngineError) as caught:
        Engine.connect()
    assert (caught.value.lacks, caught.value.exit_code) == (lacks, 3)
    return str(caught.value)


def test_an_endpoint_where_nothing_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere.sock")
    text = refusal("elsewhere")
    assert text.startswith("unix:///nowhere.sock: no Docker Engine answers there: Cannot connect to the Docker daemon")
    assert text.endswith("Fix: start the engine there, or unset DOCKER_HOST to use the one of this machine")


def test_a_context_that_does_not_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setenv("DOCKER_CONTEXT", "lost")
    assert refusal("elsewhere").endswith("Fix: unset DOCKER_CONTEXT, or: docker context use default")


def test_no_docker_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert refusal("client") == "there is no docker command on the PATH. Fix: make engine"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be somebody else")
def test_a_user_without_rights_on_the_socket(
    second: tuple[str, PrivateEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, private = second
    Path(private.host.removeprefix("unix://")).parent.chmod(0o755)
    monkeypatch.setenv("DOCKER_HOST", private.host)
    monkeypatch.setenv("DOCKER_CONFIG", "/nonexistent")
    groups = os.getgroups()
    os.setgroups([])
    os.setegid(65534)
    os.seteuid(65534)  # the program and the docker command, as user nobody
    try:
        text = refusal("rights")
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(groups)
    assert text.startswith(f"{private.host}: this user may not talk to Docker Engine: permission denied")
    assert text.endswith('Fix: sudo usermod -aG docker "$USER", then log in again')


def test_a_context_without_certificate_verification_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    subprocess.run(
        ["docker", "context", "create", "blind", "--docker", "host=tcp://127.0.0.1:1,skip-tls-verify=true"],
        check=True,
        capture_output=True,
    )
    monkeypatch.setenv("DOCKER_CONTEXT", "blind")
    assert "this docker endpoint is used without verifying its certificate" in refusal("tls")


@pytest.mark.parametrize(
    ("change", "lacks", "words"),
    [
        ({"ServerVersion": "20.10.24"}, "age", "Docker Engine 20.10.24 is too old: 23.0 or newer is needed"),
        ({"OSType": "windows"}, "kind", "the engine runs Windows containers. Fix: switch it to Linux containers"),
        ({"ClientInfo": {"Plugins": []}}, "buildx", "the docker command has no buildx plugin. Fix: make engine"),
        (
            {"ClientInfo": {"Plugins": [{"Name": "buildx", "Version": "v0.11.2", "Path": "/p"}]}},
            "age",
            "docker buildx v0.11.2 is too old: 0.12 or newer is needed",
        ),
    ],
)
def test_what_is_too_old_or_missing_is_named(
    fake_docker: Path, change: dict[str, object], lacks: str, words: str
) -> None:
    fake_docker.write_text(json.dumps({**usable(), **change}))
    assert words in refusal(lacks)


@pytest.mark.parametrize("plugins", [[], [{"Name": "buildx", "Version": "v0.11.2", "Path": "/p"}]])
def test_what_builds_nothing_asks_for_no_buildx(fake_docker: Path, plugins: list[dict[str, str]]) -> None:
    fake_docker.write_text(json.dumps({**usable(), "ClientInfo": {"Plugins": plugins}}))
    engine = Engine.connect(builds=False)
    assert engine.info.buildx == ""
    for ask in (Engine.connect, engine.require_buildx):
        with pytest.raises(EngineError):
            ask()
    fake_docker.write_text(json.dumps(usable()))
    engine.require_buildx()
    assert engine.info.buildx == Engine.connect().info.buildx == "0.13.1+ds1"


def usable() -> dict[str, object]:
    plugins = [{"Name": "buildx", "Version": "0.13.1+ds1"}]
    return {"ServerVersion": "26.1.5", "OSType": "linux", "Driver": "overlay2", "ClientInfo": {"Plugins": plugins}}


def test_gpus_are_asked_for_in_the_way_the_engine_offers(fake_docker: Path, tmp_path: Path) -> None:
    spec = {"cdiVersion": "0.6.0", "kind": "nvidia.com/gpu", "devices": [{"name": "0"}, {"name": "all"}]}
    (tmp_path / "cdi").mkdir()
    (tmp_path / "cdi" / "nvidia.json").write_text(json.dumps(spec))
    (tmp_path / "cdi" / "broken.yaml").write_text("kind: [")
    offers: list[tuple[dict[str, object], tuple[str, ...], list[str]]] = [
        ({}, (), []),
        ({"Runtimes": {"nvidia": {}}}, (), ["--gpus", "all"]),
        (
            {"CDISpecDirs": [str(tmp_path / "cdi")], "Runtimes": {"nvidia": {}}},
            ("nvidia.com/gpu=0", "nvidia.com/gpu=all"),
            ["--device", "nvidia.com/gpu=all"],
        ),
        (
            {"DiscoveredDevices": [{"Source": "cdi", "ID": "nvidia.com/gpu=1"}, {"Source": "cdi", "ID": "x/net=1"}]},
            ("nvidia.com/gpu=1",),
            ["--device", "nvidia.com/gpu=1"],
        ),
    ]
    for offer, devices, arguments in offers:
        fake_docker.write_text(json.dumps({**usable(), **offer}))
        engine = Engine.connect()
        assert (engine.info.cdi, engine.gpu_arguments()) == (devices, arguments)
