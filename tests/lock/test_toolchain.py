"""The toolchain's wheels: at the versions that the stack has, never to be compiled themselves, and part of the lock."""

from __future__ import annotations

from typing import Any

import pytest

from builder.errors import InputError
from builder.lock import inputs_digest, wheels
from builder.lock.model import Artifact
from builder.lock.routes import Routes, routes
from builder.net.session import Session
from builder.settings import Settings
from builder.spec.model import Stack
from tests.lock.conftest import Index, MakeStack, sdist, wheel

GIT = {"git": "https://example.org/code", "commit": "a" * 40}
KNN = {"name": "knn", "path": "/workspace/knn", "compiled": ["knn._C"]}


def found(stack: Stack, settings: Settings) -> dict[str, Artifact]:
    session = Session(settings)
    ways = routes(stack, session)
    own = wheels.resolve(stack, ways, settings, session, ())
    return {item.project: item for item in wheels.toolchain(stack, own, ways, settings, session, ()).found}


@pytest.fixture
def filled(index: Index) -> Index:
    for number in ("1.0", "2.0"):
        index.add(wheel("torch", number))
    index.add(wheel("tool", "1.0", requires=["torch", "helper"]))
    index.add(wheel("helper", "1.0"))
    return index


def test_it_has_the_stacks_own_versions(filled: Index, make_stack: MakeStack, settings: Settings) -> None:
    stack = make_stack("torch==1.0", toolchain={"packages": ["tool"]})
    there = found(stack, settings)
    assert {name: item.version for name, item in there.items()} == {"helper": "1.0", "tool": "1.0", "torch": "1.0"}
    own = wheels.resolve(stack, Routes(of={}), settings, Session(settings), ()).found
    assert there["torch"] == own[0], "one file serves both"
    assert found(make_stack("torch==1.0"), settings) == {}


def test_a_requirement_against_the_stacks_version_is_refused(
    filled: Index, make_stack: MakeStack, settings: Settings
) -> None:
    with pytest.raises(InputError) as caught:
        found(make_stack("torch==1.0", toolchain={"packages": ["tool", "torch>=2"]}), settings)
    assert caught.value.problem == "the requirements cannot be met together"


@pytest.mark.parametrize("asked", ["helper", "tool"])
def test_what_compiles_may_not_have_to_be_compiled(
    asked: str, filled: Index, make_stack: MakeStack, settings: Settings
) -> None:
    del filled.files["simple"]["helper"]
    filled.add(sdist("helper", "1.0", "from setuptools import setup\nsetup()\n"))
    with pytest.raises(InputError) as caught:
        found(make_stack(toolchain={"packages": [asked]}, **{"from-source": ["helper"]}), settings)
    assert caught.value.problem == "helper is to compile and to be compiled"


def test_a_stack_adds_to_its_familys(filled: Index, make_stack: MakeStack) -> None:
    family = {"toolchain": {"packages": ["torch"], "system": ["g++"], "cuda-home": "nvidia/cu13"}}
    both = make_stack(family=family, toolchain={"packages": ["tool", "torch"], "system": ["ninja-build"]}).toolchain
    assert both is not None
    assert (both.packages, both.system, both.cuda_home) == (("torch", "tool"), ("g++", "ninja-build"), "nvidia/cu13")


CHANGES: dict[str, tuple[dict[str, Any], bool]] = {
    "a tool": ({"toolchain": {"packages": ["tool"]}}, True),
    "a compiler": ({"toolchain": {"packages": [], "system": ["g++"]}}, True),
    "a git source of an extension": ({"extensions": [{"name": "own", **GIT, "compiled": ["own"]}]}, True),
    "its own files": ({"entrypoint": ["python"], "workdir": "/workspace"}, False),
    "an extension in a source": ({"extensions": [KNN]}, False),
    "an edit": ({"sources": [{**GIT, "into": "/workspace", "edits": [{"file": "a", "old": "b", "new": ""}]}]}, False),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_lock_is_stale_only_where_other_files_are_needed(what: str, make_stack: MakeStack) -> None:
    keys, stale = CHANGES[what]
    plain: dict[str, Any] = {"sources": [{**GIT, "into": "/workspace"}]}
    before = inputs_digest(make_stack(**plain))
    assert (inputs_digest(make_stack(**{**plain, **keys})) != before) is stale
