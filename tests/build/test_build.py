"""The build room against the real engine: no network, nothing leaks, nothing is built twice."""

from __future__ import annotations

import json
import socket
import tarfile
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import trustme

from builder import settings as settings_module
from builder.build import buildx
from builder.engine.client import Engine
from builder.errors import JobError
from builder.lock import read
from builder.render import Rendered, base_tag
from builder.ui import Ui
from tests.conftest import HOME, IMAGES, REPO, cli, document

REACH = "FROM {base}\nRUN python3 -c \"import socket; socket.create_connection(('127.0.0.1', {port}), 5).close()\"\n"


@pytest.fixture
def listener() -> Iterator[int]:
    """The port of a server on this machine's loopback, which a step reaches only on the host's network."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(60)

        def answer() -> None:
            with suppress(TimeoutError):
                server.accept()[0].close()

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        thread.join()


def rendered(folder: Path, text: str) -> Rendered:
    (folder / "contexts" / "empty").mkdir(parents=True)
    (folder / "Dockerfile").write_text(text)
    return Rendered(folder, folder / "Dockerfile", {})


def test_a_step_that_reaches_for_the_network_fails(tiny: Path, engine: Engine, listener: int, tmp_path: Path) -> None:
    build = rendered(tmp_path, REACH.format(base=base_tag(read(tiny / "tiny").base), port=listener))
    with pytest.raises(JobError) as caught:
        buildx.run(build, engine, Ui(), tags=(f"{IMAGES}/test:reach",), labels={}, epoch=1, use_cache=False)
    assert "Connection refused" in (tmp_path / "build.log").read_text()
    assert caught.value.exit_code == 1
    # The control: the same step on the host's network goes through, so it is the network that is missing above.
    file = ["--file", str(build.dockerfile), str(tmp_path)]
    engine.run(["buildx", "build", "--quiet", "--no-cache", "--network=host", *file])


def test_an_unchanged_build_does_not_run(tiny: Path, engine: Engine) -> None:
    log = HOME / "build" / "tiny" / "build.log"
    before = log.stat().st_mtime_ns
    again = document(cli("--json", "--stacks", str(tiny), "build", "tiny"))["images"][0]
    assert again["built"] is False
    assert log.stat().st_mtime_ns == before


def test_a_changed_environment_builds_anew_without_a_new_lock(tiny: Path, engine: Engine, tmp_path: Path) -> None:
    stack = tiny / "tiny" / "stack.yaml"
    text = stack.read_text()
    stack.write_text(text + "env: {TEST_MODE: changed}\n")
    try:
        changed = document(cli("--json", "--stacks", str(tiny), "build", "tiny"))["images"][0]
    finally:
        stack.write_text(text)
    assert changed["built"] is True
    out = engine.run(["run", "--rm", "--network", "none", changed["tag"], "printenv", "TEST_MODE"]).stdout
    assert out == "changed\n"
    assert document(cli("--json", "--stacks", str(tiny), "build", "tiny"))["images"][0]["built"] is True


def test_nothing_of_the_site_or_the_machine_is_in_the_image(tiny: Path, engine: Engine, tmp_path: Path) -> None:
    """Build with a private CA, a proxy and a token all around, then look for each of them in every byte."""
    authority = trustme.CA(organization_name="Sekret Private Root")
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    proxy = "http://user:sekret-password@sekret-proxy.example:3128"
    docker_config = tmp_path / "docker"
    docker_config.mkdir()
    (docker_config / "config.json").write_text(
        json.dumps({"proxies": {"default": {"httpProxy": proxy, "httpsProxy": proxy}}})
    )
    site = {
        "CA_BUNDLE": str(tmp_path / "ca.pem"),
        "HTTPS_PROXY": proxy,
        "https_proxy": proxy,
        "HF_TOKEN": "hf_sekret_token",
        "DOCKER_CONFIG": str(docker_config),
    }
    engine.remove(f"{IMAGES}/tiny:latest")
    built = document(cli("--json", "--stacks", str(tiny), "build", "tiny", env=site))["images"][0]
    assert built["built"] is True
    needles = ["sekret", "Sekret", str(REPO), str(tiny)]
    archive = tmp_path / "image.tar"
    engine.run(["save", "--output", str(archive), built["tag"]])
    history = engine.run(["history", "--no-trunc", "--format", "{{json .}}", built["tag"]]).stdout
    for needle in needles:
        assert needle not in history
    assert found_in(archive, [needle.encode() for needle in needles]) == []


def found_in(archive: Path, needles: list[bytes]) -> list[tuple[str, bytes]]:
    """Members of an image archive (files of its layers too) whose name or bytes hold a needle."""
    found: list[tuple[str, bytes]] = []
    with tarfile.open(archive) as outer:
        for blob in outer:
            stream = outer.extractfile(blob) if blob.isfile() else None
            if stream is None:
                continue
            try:
                with tarfile.open(fileobj=stream) as layer:
                    for member in layer:
                        inner = layer.extractfile(member) if member.isfile() else None
                        data = member.name.encode() + b"\0" + (inner.read() if inner else b"")
                        found += [(member.name, needle) for needle in needles if needle in data]
            except tarfile.ReadError:
                stream.seek(0)
                data = stream.read()
                found += [(blob.name, needle) for needle in needles if needle in data]
    return found


def test_the_search_for_leaks_finds_one_that_is_there(tmp_path: Path) -> None:
    (tmp_path / "leak").write_text("token=sekret")
    with tarfile.open(tmp_path / "layer.tar", "w") as layer:
        layer.add(tmp_path / "leak", "etc/leak")
    with tarfile.open(tmp_path / "image.tar", "w") as image:
        image.add(tmp_path / "layer.tar", "blobs/sha256/aa")
    assert found_in(tmp_path / "image.tar", [b"sekret"]) == [("etc/leak", b"sekret")]


def test_labels_name_the_lock_and_the_base(tiny: Path, engine: Engine) -> None:
    facts = engine.image(f"{IMAGES}/tiny:latest")
    lock = read(tiny / "tiny")
    assert facts is not None
    labels = facts.labels
    assert labels["org.opencontainers.image.title"] == "tiny"
    assert labels["org.opencontainers.image.revision"] == lock.digest
    assert labels["io.modelstacks.lock"] == f"sha256:{lock.digest}"
    assert labels["org.opencontainers.image.base.name"] == "modelstacks/base"
    assert labels["org.opencontainers.image.base.digest"].startswith("sha256:")
    assert settings_module.load().home == HOME
