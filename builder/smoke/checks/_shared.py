"""What several checks judge alike: versions against the lock, and machine code against GPUs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from packaging.version import Version

from builder.check.torch import named_code_runs
from builder.smoke.brief import Expected


def assert_locked(stack: Expected, version: str, *distributions: str) -> None:
    """A module's own version is the locked one of the distribution that gives it; +cu130 and .post1 do not matter."""
    locked = [stack.pins[name] for name in distributions if name in stack.pins]
    found = Version(version).base_version
    assert any(Version(pin).base_version == found for pin in locked), f"imported {version}, locked {locked}"


def missing(code: Iterable[str], capabilities: Iterable[str]) -> list[str]:
    """The compute capabilities that code of these architectures (sm_90, compute_90) does not run on."""
    names = list(code)
    return sorted(one for one in capabilities if not named_code_runs(names, one))


def assert_code(stack: Expected, figures: dict[str, Any]) -> None:
    """A compiled module holds code for every GPU of the stack, and PTX where the stack asks for it."""
    code = figures["code"]
    lost = missing(code, (one.removesuffix("+PTX") for one in stack.gpus))
    assert not lost, f"{figures['file']} holds {', '.join(code) or 'no GPU code'}, none of it for {', '.join(lost)}"
    asked = [one for one in stack.gpus if one.endswith("+PTX")]
    assert not asked or any(name.startswith("compute_") for name in code), f"no PTX in it, the stack has {asked}"


def assert_imported(figures: dict[str, Any]) -> None:
    """The packages took the compiled module and began no compilation of their own."""
    assert not figures["jit"], f"compiled at import: {', '.join(figures['jit'])}"
    assert not figures["failed"], f"do not import: {figures['failed']}"


def folders_of(libraries: Mapping[str, Sequence[str]], family: str) -> list[str]:
    """The folders that the libraries of a family (libcudnn: itself and its parts) were loaded from, each once."""
    named = [paths for name, paths in libraries.items() if name.startswith(family)]
    return sorted({path.rpartition("/")[0] for paths in named for path in paths})
