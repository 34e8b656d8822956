"""A stack that uses every part of a Dockerfile, over an image base, with a lock whose files are not fetched."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from builder.lock import Artifact, LockedBase, StackLock
from builder.settings import Settings
from builder.spec.model import Stack
from builder.spec.stacks import load_stack
from tests.lock.test_store import everything

STACK = """summary: Uses every part of a Dockerfile
family: own
packages: [alpha, beta]
indexes: {own: {url: "https://example.org/simple/", packages: [beta]}}
system: [g++]
libraries: [nvidia/cudnn/lib, beta/lib]
sources:
  - {git: "https://example.org/code", commit: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa, into: /workspace}
  - {git: "https://example.org/more", commit: bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb, into: /workspace/more}
paths: [/workspace, /workspace/more]
weights:
  - {url: "https://example.org/net.bin?x=1", sha256: SHA, into: /weights}
  - {url: "https://example.org/deep/net.bin", sha256: SHA, into: /weights/deep}
env: {MY_HOME: /workspace, GREETING: "two words"}
""".replace("SHA", "f" * 64)
FAMILY = {"summary": "test", "base": {"image": "registry.example:5000/cuda:12", "glibc": "2.36"}, "python": "3.11"}


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    folder = tmp_path / "stacks"
    (folder / "families").mkdir(parents=True)
    (folder / "everything").mkdir()
    (folder / "families" / "own.yaml").write_text(yaml.safe_dump(FAMILY))
    (folder / "everything" / "stack.yaml").write_text(STACK)
    return load_stack("everything", Settings(home=tmp_path, stacks=(folder,)))


@pytest.fixture
def lock() -> StackLock:
    whole = everything()
    digest = "sha256:" + "c" * 64
    alpha, beta = whole.wheels
    source, weight, deb = whole.sources[0], whole.weights[0], whole.debs[0]
    return replace(
        whole,
        stack="everything",
        base=LockedBase(kind="image", reference=f"registry.example:5000/cuda@{digest}", digest=digest),
        wheels=(
            alpha,
            beta,
            replace(alpha, project="big", filename="big-1-py3-none-any.whl", size=300_000_000),
            replace(alpha, project="middle", filename="middle-1-py3-none-any.whl", size=40_000_000),
        ),
        debs=(deb, replace(deb, project="libc6-dev", filename="libc6-dev_1_amd64.deb")),
        sources=(source, replace(source, project="more", filename="more-bbbbbbbbbbbb.tar", version="b" * 40)),
        weights=(weight, replace(weight, filename="1-net.bin")),
        digest="d" * 64,
    )


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home", stacks=())


def fetched(lock: StackLock, settings: Settings) -> StackLock:
    """Put small files in the place of the lock's wheels, sources and weights; the lock as it then is, without debs."""

    def made(item: Artifact) -> Artifact:
        path = settings.home / item.folder / item.filename
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(item.filename.encode())
        return replace(item, sha256=hashlib.sha256(path.read_bytes()).hexdigest())

    return replace(
        lock,
        wheels=tuple(made(item) for item in lock.wheels),
        sources=tuple(made(item) for item in lock.sources),
        weights=tuple(made(item) for item in lock.weights),
        debs=(),
    )
