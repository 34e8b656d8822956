"""What every room's tests share: the command line as a user runs it, the engine, and a small stack of our own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from builder.engine.client import Engine
from builder.errors import SurroundingsError

# A run in the background is started with Ctrl-C ignored, and what it starts would ignore it too.
signal.signal(signal.SIGINT, signal.default_int_handler)

# What a run makes has a name and a folder of its own, so that nothing of a user's is overwritten or removed: its images
# have this prefix, and its builds a home that shares with the checkout the wheelhouse and the assets alone.
_RUN = os.environ.setdefault("MODELSTACKS_TEST_RUN", f"{os.getpid()}-{uuid.uuid4().hex[:8]}")
_OWNER = _RUN.partition("-")[0] == str(os.getpid())  # and not a worker of it, or a pytest that one of its tests starts
_PART = "-".join(filter(None, [_RUN, os.environ.get("PYTEST_XDIST_WORKER")]))  # a worker shares none with another
IMAGES = f"modelstacks-test/{_PART}"
REPO = Path(__file__).resolve().parent.parent
HOME = REPO / "build" / f".test-{_PART}"
os.environ |= {"MODELSTACKS_HOME": str(HOME), "MODELSTACKS_IMAGE_PREFIX": IMAGES}
FAMILY = (REPO / "stacks" / "families" / "debian12-py311.yaml").read_text()


def pytest_configure() -> None:
    """Make the home of this run."""
    HOME.mkdir(parents=True, exist_ok=True)
    for shared in ("wheels", "assets"):
        (REPO / shared).mkdir(exist_ok=True)
        if not (HOME / shared).exists():
            (HOME / shared).symlink_to(REPO / shared)


def pytest_unconfigure() -> None:
    """Remove the homes of this run and the images that its fixtures left, those of its workers too."""
    if not _OWNER:
        return
    for home in HOME.parent.glob(f"{HOME.name}*"):
        shutil.rmtree(home, ignore_errors=True)
    try:
        _remove(Engine.connect(), f"{IMAGES}*/*")
    except SurroundingsError:
        return  # the tests that need an engine said so


def remove_images(engine: Engine, *names: str) -> None:
    """Remove this run's images of these stacks."""
    for name in names:
        _remove(engine, f"{IMAGES}/{name}")


def _remove(engine: Engine, pattern: str) -> None:
    words = ["image", "ls", "--format", "{{.Repository}}:{{.Tag}}", "--filter", f"reference={pattern}"]
    for tag in engine.run(words).stdout.split():
        engine.remove(tag)


def cli(*words: str, env: Mapping[str, str] | None = None, timeout: float = 600) -> subprocess.CompletedProcess[str]:
    """Run `python -m builder` as a user does; the exit code is left to the test."""
    return subprocess.run(
        [sys.executable, "-m", "builder", *words],
        cwd=REPO,
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def document(done: subprocess.CompletedProcess[str], *, code: int = 0) -> dict[str, Any]:
    """The JSON document of a run that ended with this exit code."""
    assert done.returncode == code, done.stderr
    value: dict[str, Any] = json.loads(done.stdout)
    return value


def write_stack(folder: Path, name: str, *, packages: list[str], extra: str = "") -> None:
    """A stack of a user's own, on the Debian 12 family, without smoke tests that need more than Python."""
    (folder / "families").mkdir(parents=True, exist_ok=True)
    (folder / "families" / "plain.yaml").write_text(FAMILY)
    (folder / name).mkdir(exist_ok=True)
    lines = ["summary: made for a test", "family: plain", f"packages: {json.dumps(packages)}", "smoke: [python]", extra]
    (folder / name / "stack.yaml").write_text("\n".join(lines) + "\n")


def uncached() -> str:
    """A line of a stack file that no build before this one had, so that the engine's cache cannot serve it."""
    return f"paths: [/uncached/{uuid.uuid4()}]"


@pytest.fixture(scope="session")
def engine() -> Engine:
    """The engine that `make engine` provides; without one the test is skipped with the engine room's own reason."""
    try:
        return Engine.connect()
    except SurroundingsError as error:
        pytest.skip(f"no usable engine: {error}")


@pytest.fixture(scope="session")
def tiny(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of stacks holding `tiny` (one small wheel), locked, fetched and built."""
    folder = tmp_path_factory.mktemp("stacks")
    write_stack(folder, "tiny", packages=["six==1.17.0"])
    document(cli("--json", "--stacks", str(folder), "stack", "tiny", "--gpu", "none"))
    return folder
