"""Across the air gap: where there is no network at all, the bundle alone gives the same image as online."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from builder.engine.client import Engine
from tests.conftest import cli, document
from tests.private_engine import Store, private_engine

_STACK = "onnx-cpu"


class Site:
    """A site without a network: a folder with what the bundle brought, and an empty engine of its own."""

    def __init__(self, folder: Path, host: str) -> None:
        self.folder, self.program, self._host = folder, folder / "modelstacks", host

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command in the program's folder, in a network namespace whose loopback is down too."""
        kept = ("PATH", "LANG", "LC_ALL", "TERM")
        environment = {key: os.environ[key] for key in kept if key in os.environ}
        environment |= {"HOME": str(self.folder), "DOCKER_HOST": self._host}
        return subprocess.run(
            ["unshare", "--net", *words],
            cwd=self.program,
            env=environment,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )


@pytest.fixture(scope="module")
def site(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The bundle of one stack, imported at a site where nothing else is."""
    online = tmp_path_factory.mktemp("online")
    bundle = online / "one.bundle.tar"
    document(cli("--json", "fetch", _STACK))
    document(cli("--json", "export", _STACK, "--out", str(bundle)))
    folder = tmp_path_factory.mktemp("site")
    with private_engine(cast(Store, engine.info.store), folder) as private:
        site = Site(folder, private.host)
        subprocess.run(["tar", "xf", str(bundle), "modelstacks"], cwd=folder, check=True)
        done = site.run("make", "import", f"BUNDLE={bundle}", "OFFLINE=1")
        assert done.returncode == 0, done.stderr
        yield site
    shutil.rmtree(folder, ignore_errors=True)
    shutil.rmtree(online, ignore_errors=True)


def test_the_site_has_no_route_at_all(site: Site) -> None:
    assert len(site.run("cat", "/proc/net/route").stdout.splitlines()) <= 1  # the line of headings
    assert site.run("cat", "/proc/net/dev").stdout.count(":") == 1
    probe = "import socket; socket.create_connection(('192.0.2.1', 443), 5)"
    assert "Network is unreachable" in site.run(".venv/bin/python", "-c", probe).stderr


def test_the_bundle_gives_the_same_image_id_as_online(engine: Engine, site: Site) -> None:
    online = document(cli("--json", "build", _STACK))["images"][0]
    done = site.run("make", "stack", f"STACK={_STACK}", "OFFLINE=1", "GPU=none", "JSON=1")
    assert done.returncode == 0, done.stderr
    made = json.loads(done.stdout)["stacks"][0]
    assert made["image"]["built"] is True
    assert made["smoke"]["green"] is True
    assert made["fetch"]["fetched"] == []
    assert made["image"]["id"] == online["id"]


def test_a_file_that_is_not_there_is_named_instead_of_fetched(site: Site) -> None:
    wheel = next((site.program / "wheels").glob("sympy-*.whl"))
    aside = wheel.rename(site.folder / wheel.name)
    try:
        done = site.run("make", "stack", f"STACK={_STACK}", "OFFLINE=1", "GPU=none", "JSON=1")
    finally:
        aside.rename(wheel)
    assert done.returncode != 0
    assert json.loads(done.stdout)["exit"] == 1
    problem = json.loads(done.stdout)["errors"][0]["problem"]
    assert problem == f"{wheel.name} is not in the wheelhouse; OFFLINE forbids fetching it"
    by_variable = site.run("env", "MODELSTACKS_OFFLINE=1", ".venv/bin/python", "-m", "builder", "fetch", _STACK)
    assert by_variable.returncode == 0, by_variable.stderr
