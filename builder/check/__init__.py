"""Check: a stack and its lock against packaged facts, before hours go into building what cannot work."""

from __future__ import annotations

import functools
from pathlib import Path

from builder.check.model import Facts, Finding, Rule
from builder.check.rules import (
    conflicting_packages,
    gone_from_index,
    library_folders,
    numpy_abi,
    smoke_names,
    unbakeable_weights,
)
from builder.lock.model import StackLock
from builder.spec import yamldoc
from builder.spec.model import Stack

__all__ = ["RULES", "Finding", "check", "packaged_facts"]

RULES: tuple[Rule, ...] = (
    gone_from_index,
    conflicting_packages,
    numpy_abi,
    library_folders,
    smoke_names,
    unbakeable_weights,
)


def check(stack: Stack, lock: StackLock | None) -> list[Finding]:
    """What is wrong with a stack, rule by rule. Without a lock only what the stack itself says is looked at."""
    facts = packaged_facts()
    return [finding for rule in RULES for finding in rule.find(stack, lock, facts)]


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
