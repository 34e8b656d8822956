"""What a check gives back, and what its rules look at. No IO here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timezone
from functools import cached_property, lru_cache
from typing import Any, Literal, Protocol

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name, parse_sdist_filename, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from builder.check.rows import Facts, Sourced
from builder.lock.model import Artifact, StackLock
from builder.spec.model import Stack

Level = Literal["error", "warning", "accepted"]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Something that is or will go wrong with a stack.

    rule: the name of the rule. about: the package, capability or file it is about, "" where the rule has one finding
    at most; `accept` of a stack names a finding by RULE or RULE/ABOUT. level: "error" where the image cannot work,
    "warning" where it may not, "accepted" where the stack gives a reason to go on, which is then in `accepted`.
    source: where the fact behind it is from. unverified: whether it rests on a fact that nobody has read or measured.
    """

    rule: str
    level: Level
    problem: str
    cause: str
    fix: str
    source: str
    about: str = ""
    unverified: bool = False
    accepted: str = ""

    @property
    def key(self) -> str:
        """The narrowest key by which `accept` can name it."""
        return f"{self.rule}/{self.about}" if self.about else self.rule

    @property
    def text(self) -> str:
        """The finding as lines for people."""
        last = ("accepted", self.accepted) if self.accepted else ("fix", self.fix)
        return "\n".join([self.problem, f"cause: {self.cause}", ": ".join(last), f"source: {self.source}"])

    def document(self) -> dict[str, Any]:
        """The finding as a JSON-ready mapping."""
        return dict(vars(self))


def finding(
    rule: str,
    rows: Sequence[Sourced],
    *,
    problem: str,
    cause: str,
    fix: str,
    level: Level = "error",
    about: str = "",
    columns: Sequence[str] = (),
) -> Finding:
    """A finding that rests on rows of facts, and on these of their columns (all, if none is named).

    One that rests on an unverified fact says so, and is a warning.
    """
    unverified = any(_doubtful(row, columns) for row in rows)
    return Finding(
        rule=rule,
        level="warning" if unverified else level,
        problem=problem,
        cause=f"{cause} (this fact is unverified)" if unverified else cause,
        fix=fix,
        source="; ".join(dict.fromkeys(row["source"] for row in rows)),
        about=about,
        unverified=unverified,
    )


def _doubtful(row: Sourced, columns: Sequence[str]) -> bool:
    marked = row.get("unverified", False)
    return marked if isinstance(marked, bool) else not columns or not set(marked).isdisjoint(columns)


@dataclass(frozen=True, kw_only=True)
class Packages:
    """The Python packages of an image or of a toolchain, by canonical project name: as asked for, and as locked."""

    asked: Mapping[str, Requirement]
    locked: Mapping[str, Version]

    def __contains__(self, name: str) -> bool:
        """Whether it is asked for or locked."""
        return name in self.asked or name in self.locked

    def __iter__(self) -> Iterator[str]:
        """Every name that is asked for or locked."""
        return iter({**self.asked, **self.locked})

    def version(self, name: str) -> Version | None:
        """The one version that is locked, or that the requirement allows; None where that is not known."""
        return self.locked.get(name) or pinned(self.asked.get(name))


@dataclass(frozen=True, kw_only=True)
class Case:
    """What rules look at. today: the day that ends of support are compared with where there is no lock.

    brought: who asks for each package, where it was resolved just now.
    """

    stack: Stack
    lock: StackLock | None
    facts: Facts
    today: date
    brought: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @cached_property
    def image(self) -> Packages:
        """The packages of the image."""
        locked = _versions(self.lock.wheels) if self.lock else {}
        for one in self.lock.unresolved if self.lock else ():
            if one.kind == "wheel":
                locked[one.name] = Version(one.version)
        return Packages(asked=_required(self.stack.packages), locked=locked)

    @cached_property
    def toolchain(self) -> Packages:
        """The packages that compile the extensions; those of the image keep its versions. Empty without extensions."""
        if not self.stack.extensions:
            return Packages(asked={}, locked={})
        asked = _required(self.stack.toolchain.packages if self.stack.toolchain else ())
        image = {name: version for name in asked if (version := self.image.version(name))}
        return Packages(asked=asked, locked={**image, **_versions(self.lock.toolchain if self.lock else ())})

    @cached_property
    def elsewhere(self) -> frozenset[str]:
        """The projects that an index of the stack's own serves."""
        return frozenset(str(canonicalize_name(one)) for index in self.stack.indexes.values() for one in index.packages)

    @property
    def day(self) -> date:
        """The day the lock was made, today before there is one: a lock is judged alike on every day."""
        return datetime.fromtimestamp(self.lock.epoch, timezone.utc).date() if self.lock else self.today


class Rule(Protocol):
    """One rule: a module with a name and a function that finds what breaks it, without IO."""

    NAME: str

    def find(self, case: Case) -> Iterator[Finding]:
        """What of the stack, or of its lock, breaks the rule."""


def pinned(requirement: Requirement | None) -> Version | None:
    """The one version a requirement allows (==), None if it allows several."""
    for clause in requirement.specifier if requirement else ():
        if clause.operator in ("==", "==="):
            try:
                return Version(clause.version)
            except InvalidVersion:  # ==1.20.* allows several
                continue
    return None


def _required(packages: Sequence[str]) -> dict[str, Requirement]:
    parsed = map(_requirement, packages)
    return {str(canonicalize_name(requirement.name)): requirement for requirement in parsed}


@lru_cache(4096)  # those of a family are each stack's
def _requirement(text: str) -> Requirement:
    return Requirement(text)


def _versions(artifacts: Sequence[Artifact]) -> dict[str, Version]:
    found: dict[str, Version] = {}
    for artifact in artifacts:
        if artifact.project and artifact.version:
            found[str(canonicalize_name(artifact.project))] = Version(artifact.version)
        elif artifact.filename.endswith(".whl"):
            name, version, _, _ = parse_wheel_filename(artifact.filename)
            found[str(name)] = version
        else:
            name, version = parse_sdist_filename(artifact.filename)
            found[str(name)] = version
    return found
