"""Check: a stack and its lock against packaged facts, before hours go into building what cannot work."""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import cast

from builder.check import rows, rules
from builder.check.accept import settle
from builder.check.model import Case, Finding, Rule
from builder.check.rows import Facts
from builder.lock.model import StackLock
from builder.spec.model import Stack

__all__ = ["Finding", "all_rules", "check", "packaged_facts"]


@functools.cache
def all_rules() -> tuple[Rule, ...]:
    """Every module of the folder rules/, by name: one that is there is asked."""
    names = sorted(one.name for one in pkgutil.iter_modules(rules.__path__))
    return tuple(cast(Rule, importlib.import_module(f"{rules.__name__}.{name}")) for name in names)


def check(
    stack: Stack,
    lock: StackLock | None,
    today: date | None = None,
    brought: Mapping[str, tuple[str, ...]] | None = None,
) -> list[Finding]:
    """What is wrong with a stack, rule by rule. Without a lock only what the stack itself says is looked at.

    today: the day that ends of support are compared with where there is no lock; default: by the clock. brought: who
    asks for each package, as the resolution of the lock tells it.
    """
    case = Case(stack=stack, lock=lock, facts=packaged_facts(), today=today or date.today(), brought=brought or {})
    found = [finding for rule in all_rules() for finding in rule.find(case)]
    return settle(found, stack, [rule.NAME for rule in all_rules()], whole=lock is not None)


@functools.cache
def packaged_facts() -> Facts:
    """The rows of facts/*.yaml by file name, and the smoke tests there are; read once."""
    return rows.read(Path(__file__).parents[1] / "smoke" / "checks")
