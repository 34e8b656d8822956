"""Check: a stack and its lock against packaged facts, before hours go into building what cannot work."""

from __future__ import annotations

import functools
from datetime import date
from pathlib import Path

from builder.check.accept import settle
from builder.check.model import Case, Facts, Finding, Rule
from builder.check.rules import (
    base_end_of_life,
    conflicting_packages,
    gone_from_index,
    known_pairs,
    library_folders,
    numpy_abi,
    nvcc_gcc,
    nvcc_gpus,
    onnxruntime_cuda,
    onnxruntime_libraries,
    onnxruntime_python,
    pillow,
    pkg_resources,
    protobuf,
    smoke_names,
    tensorrt,
    torch_cuda,
    torch_glibc,
    torch_gpus,
    torch_partners,
    torch_python,
    torch_release,
    torch_wheels,
    unbakeable_weights,
    unusable_releases,
)
from builder.lock.model import StackLock
from builder.spec import yamldoc
from builder.spec.model import Stack

__all__ = ["RULES", "Finding", "check", "packaged_facts"]

RULES: tuple[Rule, ...] = (
    torch_release,
    torch_python,
    torch_cuda,
    torch_glibc,
    torch_partners,
    torch_wheels,
    torch_gpus,
    nvcc_gpus,
    nvcc_gcc,
    onnxruntime_python,
    onnxruntime_cuda,
    onnxruntime_libraries,
    library_folders,
    tensorrt,
    gone_from_index,
    unusable_releases,
    conflicting_packages,
    numpy_abi,
    protobuf,
    pillow,
    pkg_resources,
    known_pairs,
    base_end_of_life,
    smoke_names,
    unbakeable_weights,
)


def check(stack: Stack, lock: StackLock | None, today: date | None = None) -> list[Finding]:
    """What is wrong with a stack, rule by rule. Without a lock only what the stack itself says is looked at.

    today: the day that ends of support are compared with where there is no lock; default: by the clock.
    """
    case = Case(stack=stack, lock=lock, facts=packaged_facts(), today=today or date.today())
    found = [finding for rule in RULES for finding in rule.find(case)]
    return settle(found, stack, [rule.NAME for rule in RULES], whole=lock is not None)


@functools.cache
def packaged_facts() -> Facts:
    """The rows of facts/*.yaml by file name, and the smoke tests there are; read once."""
    facts: dict[str, tuple[dict[str, object], ...]] = {}
    for path in sorted((Path(__file__).parent / "facts").glob("*.yaml")):
        rows = yamldoc.read(path).value
        assert isinstance(rows, tuple)  # noqa: S101 - a packaged file, held to this by a test
        facts[path.stem] = rows
    smoke = Path(__file__).parents[1] / "smoke" / "checks"
    names = sorted(path.stem for path in smoke.glob("*.py") if not path.stem.startswith(("_", "conftest")))
    facts[smoke_names.NAME] = tuple({"check": name, "source": f"builder/smoke/checks/{name}.py"} for name in names)
    return facts
