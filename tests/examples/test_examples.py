"""The stacks of examples/, each made as its README says."""

from __future__ import annotations

import hashlib
import re
import shutil
from pathlib import Path

import pytest

from builder.engine.client import Engine
from tests.build.kit import Ground, ground
from tests.conftest import IMAGES, REPO, cli, document
from tests.registry import registry

EXAMPLES = REPO / "examples"
NAMES = sorted(path.parent.name for path in EXAMPLES.glob("*/stack.yaml"))


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A copy of the folder, for the locks that a run writes into it."""
    without = shutil.ignore_patterns("pylock.toml", "stack.lock")
    return Path(shutil.copytree(EXAMPLES, tmp_path / "examples", ignore=without))


def made(own: Path, name: str, env: dict[str, str] | None = None) -> str:
    """The image of a stack of the folder, made from nothing to its smoke tests without a GPU."""
    done = cli("--json", "--stacks", str(own), "stack", name, "--gpu", "none", env=env, timeout=3600)
    found = document(done)["stacks"][0]
    assert found["smoke"]["green"] is True
    return str(found["image"]["tag"])


def test_there_are_five_and_the_readme_leads_to_each() -> None:
    assert NAMES == ["cpu", "extension", "gpu", "service", "weights"]
    assert re.findall(r"^\| \[(\w+)\]\((\w+)/\)", (EXAMPLES / "README.md").read_text(), re.MULTILINE) == [
        (name, name) for name in ("cpu", "gpu", "extension", "weights", "service")
    ]


@pytest.mark.parametrize("name", NAMES)
def test_its_readme_is_short_and_has_the_command(name: str) -> None:
    lines = (EXAMPLES / name / "README.md").read_text().splitlines()
    assert len([line for line in lines if line.strip()]) <= 10
    assert any(line.startswith(f"    make stack STACK={name} STACKS=examples") for line in lines)


@pytest.mark.parametrize("name", NAMES)
def test_check_finds_no_error(name: str) -> None:
    assert cli("--stacks", str(EXAMPLES), "check", name).returncode == 0


def test_the_program_on_the_cpu_says_what_its_readme_says(own: Path, engine: Engine) -> None:
    tag = made(own, "cpu")
    assert engine.run(["run", "--rm", "--network", "none", tag, "1", "2", "6"]).stdout == "3.0\n"


def test_the_weights_are_in_the_image_and_recorded(own: Path, engine: Engine, tmp_path: Path) -> None:
    """Their server cannot be reached everywhere: a mirror over TLS stands in for it, with other bytes."""
    data = b"not the real weights\n" * 1000
    with ground(tmp_path) as site:
        site.site.files["face_landmarker.task"] = data
        tag = made(own, "weights", env=mirrored(site, tmp_path, "https://storage.googleapis.com"))
    said = engine.run(["run", "--rm", "--network", "none", tag]).stdout.split()
    assert said == ["face_landmarker.task", str(len(data)), hashlib.sha256(data).hexdigest()]
    assert said[2] in (own / "weights" / "stack.lock").read_text()


def mirrored(site: Ground, folder: Path, address: str) -> dict[str, str]:
    """The environment of a run at a site whose mirror of an address has every file in one folder."""
    real = re.search(rf"{address}/(\S+)/[^/]+\.task", (EXAMPLES / "weights" / "stack.yaml").read_text())
    assert real
    (folder / "modelstacks").mkdir()
    (folder / "modelstacks" / "modelstacks.toml").write_text(
        f'[rewrites]\n"{address}/{real[1]}" = ["{site.site.url}/files"]\n'
    )
    return {"XDG_CONFIG_HOME": str(folder), "CA_BUNDLE": str(folder / "ca.pem"), "no_proxy": "localhost"}


def test_the_service_is_pulled_by_digest(own: Path, engine: Engine, tmp_path: Path) -> None:
    """A stand-in of the image, in a registry that stands for Docker Hub."""
    (tmp_path / "Dockerfile").write_text('FROM scratch\nCOPY Dockerfile /\nEXPOSE 9000\nCMD ["/none"]\n')
    (tmp_path / "modelstacks").mkdir()
    with registry(tmp_path) as address:
        reference = f"{address}/onerahmet/openai-whisper-asr-webservice:v1.9.1"
        engine.run(["buildx", "build", "--quiet", "--provenance=false", "--load", "-t", reference, str(tmp_path)])
        try:
            engine.run(["push", reference])
        finally:
            engine.remove(reference)
        (tmp_path / "modelstacks" / "modelstacks.toml").write_text(f'[images]\n"docker.io" = "{address}"\n')
        tag = made(own, "service", env={"XDG_CONFIG_HOME": str(tmp_path)})
    assert re.fullmatch(rf"{IMAGES}/service:sha256-[0-9a-f]{{64}}", tag)


@pytest.mark.heavy
@pytest.mark.parametrize("name", ["gpu", "extension"])
def test_those_for_a_gpu_are_built_without_one(own: Path, engine: Engine, name: str) -> None:
    made(own, name)
