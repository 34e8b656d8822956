"""Containers that nobody built for us: a plain Debian with Python, and site-packages mounted into it."""

from __future__ import annotations

import secrets
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from uv import find_uv_bin

from builder.doctor.container import ContainerReport, doctor_container
from builder.engine.client import Engine
from builder.lock import read
from builder.render import base_tag
from builder.ui import Ui

SITE = "/opt/site"
Start = Callable[..., str]
Site = Callable[..., Path]
Diagnose = Callable[..., ContainerReport]

_PLATFORM = ["--python-version", "3.11", "--python-platform", "x86_64-manylinux_2_28", "--only-binary", ":all:"]


@pytest.fixture(scope="session")
def base(tiny: Path) -> str:
    """A Debian 12 with its own Python 3.11 and nothing else, as bootstrapped for a stack."""
    return base_tag(read(tiny / "tiny").base)


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Install packages of the default index into a folder, each set once; all are removed at the end."""
    made: dict[tuple[str, ...], Path] = {}

    def install(*requirements: str) -> Path:
        if requirements not in made:
            folder = tmp_path_factory.mktemp("site")
            words = [*_PLATFORM, "--target", str(folder), *requirements]
            subprocess.run([find_uv_bin(), "pip", "install", "--quiet", *words], check=True)
            made[requirements] = folder
        return made[requirements]

    yield install
    for folder in made.values():
        shutil.rmtree(folder)


@pytest.fixture
def start(engine: Engine, base: str) -> Iterator[Start]:
    """Start a container that sleeps, with folders mounted; removed at the end."""
    names: list[str] = []

    def run(
        *words: str,
        mounts: dict[str, Path] | None = None,
        env: dict[str, str] | None = None,
        image: str = base,
        program: tuple[str, ...] = ("sleep", "3600"),
    ) -> str:
        name = f"modelstacks-test-doctor-{secrets.token_hex(4)}"
        given = [word for place, folder in (mounts or {}).items() for word in ("--volume", f"{folder}:{place}:ro")]
        given += [word for pair in (env or {}).items() for word in ("--env", "=".join(pair))]
        names.append(name)
        engine.run(["run", "--detach", "--network", "none", "--name", name, *given, *words, image, *program])
        return name

    yield run
    for name in names:
        engine.run(["rm", "--force", name], check=False)


@pytest.fixture
def diagnose(engine: Engine) -> Diagnose:
    """What the doctor says of a container, which it leaves as it was."""

    def look(name: str, site: Sequence[bytes] = ()) -> ContainerReport:
        before = sorted(engine.run(["diff", name]).stdout.splitlines())  # the engine gives no order
        report = doctor_container(name, Ui(), site)
        assert sorted(engine.run(["diff", name]).stdout.splitlines()) == before
        assert engine.run(["exec", name, "ls", "-A", "/dev/shm", "/tmp"], check=False).stdout.split() in (
            ["/dev/shm:", "/tmp:"],
            [],
        )
        return report

    return look
