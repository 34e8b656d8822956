"""What a check gives back, and what its rules look at. No IO here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name, parse_sdist_filename, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from builder.lock.model import StackLock
from builder.spec.model import Stack

Facts = Mapping[str, tuple[Mapping[str, Any], ...]]
"""Rows of packaged facts by the name of the rule they are for; each row holds its `source`."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Something that is or will go wrong with a stack.

    rule: the name of the rule. level: "error" where the image cannot work, "warning" where it may not.
    source: where the fact behind it is from.
    """

    rule: str
    level: Literal["error", "warning"]
    problem: str
    why: str
    fix: str
    source: str

    def document(self) -> dict[str, str]:
        """The finding as a JSON-ready mapping."""
        return dict(vars(self))


class Rule(Protocol):
    """One rule: a module with a name and a function that finds what breaks it, without IO."""

    NAME: str

    def find(self, stack: Stack, lock: StackLock | None, facts: Facts) -> Iterator[Finding]:
        """What of the stack, or of its lock, breaks the rule."""


def required(stack: Stack) -> dict[str, Requirement]:
    """The stack's own requirements by canonical project name."""
    parsed = (Requirement(item) for item in stack.packages)
    return {str(canonicalize_name(requirement.name)): requirement for requirement in parsed}


def locked(lock: StackLock | None) -> dict[str, Version]:
    """The locked Python packages' versions by canonical project name; empty without a lock."""
    found: dict[str, Version] = {}
    for artifact in lock.wheels if lock else ():
        if artifact.project and artifact.version:
            found[str(canonicalize_name(artifact.project))] = Version(artifact.version)
        elif artifact.filename.endswith(".whl"):
            name, version, _, _ = parse_wheel_filename(artifact.filename)
            found[str(name)] = version
        else:
            name, version = parse_sdist_filename(artifact.filename)
            found[str(name)] = version
    return found


def pinned(requirement: Requirement | None) -> Version | None:
    """The one version a requirement allows (==), None if it allows several."""
    for clause in requirement.specifier if requirement else ():
        if clause.operator in ("==", "==="):
            try:
                return Version(clause.version)
            except InvalidVersion:  # ==1.20.* allows several
                continue
    return None
