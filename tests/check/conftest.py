"""Stacks and locks made for one test."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from builder.lock.model import Artifact, LockedBase, StackLock
from builder.origin import Origin
from builder.settings import Settings
from builder.spec.model import Stack
from builder.spec.stacks import load_stack

FAMILY = {"summary": "A family", "base": {"image": "debian:12", "glibc": "2.36"}, "python": "3.11"}


@pytest.fixture
def stack_of(tmp_path: Path) -> Callable[..., Stack]:
    """Makes a stack from what its file has beside summary and family, and what its family has of its own."""

    def make(stack: dict[str, Any] | None = None, family: dict[str, Any] | None = None) -> Stack:
        files = {
            "families/plain.yaml": {**FAMILY, **(family or {})},
            "mine/stack.yaml": {"summary": "Mine", "family": "plain", **(stack or {})},
        }
        for path, values in files.items():
            (tmp_path / path).parent.mkdir(exist_ok=True)
            (tmp_path / path).write_text(yaml.safe_dump(values))
        return load_stack("mine", Settings(home=tmp_path, stacks=(tmp_path,)))

    return make


def lock_of(*wheels: str, epoch: int = 0) -> StackLock:
    """A lock of wheels given as NAME==VERSION."""
    artifacts = tuple(
        Artifact(
            kind="wheel",
            filename=f"{name.replace('-', '_')}-{version}-py3-none-any.whl",
            size=1,
            sha256="0" * 64,
            origin=Origin.parse("index:default"),
        )
        for name, version in (wheel.split("==") for wheel in wheels)
    )
    return StackLock(
        stack="mine",
        inputs="",
        epoch=epoch,
        python="3.11",
        platform="x86_64-manylinux_2_36",
        indexes={},
        base=LockedBase(kind="image"),
        wheels=artifacts,
        debs=(),
        tools=(),
        sources=(),
        weights=(),
        digest="",
    )
