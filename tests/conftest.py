"""What every room's tests share: the command line as a user runs it, the engine, and a small stack of our own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from builder.engine.client import Engine
from builder.errors import SurroundingsError

# A run in the background is started with Ctrl-C ignored, and what it starts would ignore it too.
signal.signal(signal.SIGINT, signal.default_int_handler)

REPO = Path(__file__).resolve().parent.parent
FAMILY = (REPO / "stacks" / "families" / "debian12-py311.yaml").read_text()


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
def tiny(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder of stacks holding `tiny` (one small wheel), locked, fetched and built; all it leads to is removed."""
    folder = tmp_path_factory.mktemp("stacks")
    write_stack(folder, "tiny", packages=["six==1.17.0"])
    document(cli("--json", "--stacks", str(folder), "stack", "tiny", "--gpu", "none"))
    yield folder
    for stack in folder.iterdir():
        if stack.name == "families":
            continue
        images = ["image", "ls", "--format", "{{.Repository}}:{{.Tag}}", f"modelstacks/{stack.name}"]
        for tag in engine.run(images).stdout.split():
            engine.remove(tag)
        shutil.rmtree(REPO / "build" / stack.name, ignore_errors=True)
