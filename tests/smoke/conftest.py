"""A real image, variants of it with something broken, and a run of the smoke verb on any of them.

MODELSTACKS_TEST_IMAGE names an image of the stack onnx-cpu to use in place of the one that is built here.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from builder import settings as site
from builder.engine.client import Engine
from builder.errors import SurroundingsError
from builder.lock import Artifact, StackLock, read
from builder.origin import Origin
from builder.smoke import SmokeReport, smoke
from builder.spec.model import Stack
from builder.spec.stacks import load_stack, stack_folder
from builder.ui import Ui
from tests.conftest import IMAGES

CHECKOUT = Path(__file__).resolve().parents[2]
Judge = Callable[..., SmokeReport]
Variant = Callable[..., str]


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    try:
        found = Engine.connect()
    except SurroundingsError as error:
        pytest.skip(f"needs Docker Engine: {error}")
    yield found
    found.close()


@pytest.fixture(scope="session")
def image(engine: Engine) -> str:
    """An image of the stack onnx-cpu, as the command line makes it."""
    if given := os.environ.get("MODELSTACKS_TEST_IMAGE"):
        return given
    command = [sys.executable, "-m", "builder", "--json", "stack", "onnx-cpu", "--gpu", "none"]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.fail(f"onnx-cpu cannot be made: {done.stderr[-3000:]}", pytrace=False)
    tag: str = json.loads(done.stdout)["stacks"][0]["image"]["tag"]
    return tag


@pytest.fixture(scope="session")
def variant(engine: Engine, image: str) -> Iterator[Variant]:
    """Build an image from Dockerfile lines on top of another, without a network; all are removed at the end."""
    made: list[str] = []

    def build(lines: str, *, base: str = image, context: Path | None = None) -> str:
        tag = f"{IMAGES}/variant:{secrets.token_hex(6)}"
        dockerfile = f"FROM {base}\n{lines}\n"
        where = str(context) if context else "-"
        args = ["buildx", "build", "--quiet", "--network", "none", "--load", "--provenance=false", "-t", tag]
        if context:
            (context / "Dockerfile").write_text(dockerfile)
        engine.run([*args, where], input=None if context else dockerfile)
        made.append(tag)
        return tag

    yield build
    for tag in reversed(made):
        engine.remove(tag)


@pytest.fixture
def stack() -> Stack:
    """The stack onnx-cpu under a name that no other run uses."""
    return load_stack("onnx-cpu", site.load()).model_copy(update={"name": f"test-{secrets.token_hex(4)}"})


def locked_with(name: str, versions: Mapping[str, str]) -> StackLock:
    """The lock of a shipped stack, and wheels beside it that are known by project and version alone."""
    blank = Artifact(kind="wheel", filename="", size=0, sha256="", origin=Origin.parse("index:default"))
    locked = read(stack_folder(name, site.load()))
    added = [replace(blank, project=project, version=version) for project, version in versions.items()]
    return replace(locked, wheels=(*locked.wheels, *added))


@pytest.fixture
def lock() -> StackLock:
    return read(stack_folder("onnx-cpu", site.load()))


@pytest.fixture
def judge(stack: Stack, lock: StackLock, engine: Engine, tmp_path: Path) -> Judge:
    """Run the smoke verb on an image; keywords that are the stack's keys change what the stack says."""

    def run(image: str, *, gpu: str = "none", on: Engine = engine, reuse: bool = False, **keys: Any) -> SmokeReport:
        if "smoke" in keys:
            keys.setdefault("packages", ())  # these checks alone, and not the one that imports what packages bring
        said = stack.model_copy(update=keys)
        settings = replace(site.load(), home=tmp_path)
        return smoke(said, lock, image, settings, Ui(), on, gpu=gpu, reuse=reuse)  # type: ignore[arg-type]

    return run


@pytest.fixture
def containers(engine: Engine, stack: Stack) -> Callable[[], list[str]]:
    """The containers that a smoke run of the stack has at the moment, by id."""

    def listed() -> list[str]:
        return engine.run(["ps", "-aq", "--filter", f"name=modelstacks-smoke-{stack.name}"]).stdout.split()

    return listed
