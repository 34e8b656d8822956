"""What an audit asks about and what it finds. No IO here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from packaging.version import InvalidVersion, Version

Use = Literal["image", "build"]
_KINDS = ("CVE", "PYSEC", "GHSA")  # by which one is named, where it has several ids


@dataclass(frozen=True, order=True)
class Package:
    """A Python package by its canonical name and its version, as it is locked."""

    name: str
    version: str

    @property
    def public(self) -> Version | None:
        """Its version without the local part: 2.7.1 for 2.7.1+cu128, which is of the same release.

        None for what is no version (PEP 440).
        """
        try:
            return Version(Version(self.version).public)
        except InvalidVersion:
            return None


@dataclass(frozen=True, kw_only=True)
class Advisory:
    """A known vulnerability of one package.

    ids: all that it is known by, the one to call it by first. fixed: versions that do not have it.
    """

    ids: tuple[str, ...]
    summary: str = ""
    fixed: tuple[str, ...] = ()

    @classmethod
    def of(cls, ids: Iterable[str], summary: str, fixed: Iterable[str]) -> Advisory:
        """One, with its ids and versions in order."""
        return cls(
            ids=tuple(sorted(set(ids), key=_rank)), summary=_line(summary), fixed=tuple(sorted(fixed, key=_place))
        )


def _rank(one: str) -> tuple[int, str]:
    kind = one.partition("-")[0]
    return (_KINDS.index(kind) if kind in _KINDS else len(_KINDS)), one


def _place(text: str) -> tuple[bool, Version, str]:
    try:
        return False, Version(text), text
    except InvalidVersion:
        return True, Version("0"), text


def _line(text: str) -> str:
    """A summary as one line of a table; some advisories have a page of details alone."""
    words = " ".join(text.split())
    return words if len(words) <= _LONGEST else f"{words[:_LONGEST]}…"


_LONGEST = 240  # characters


def merged(found: Iterable[Advisory]) -> list[Advisory]:
    """Advisories of one package, those with an id in common as one: databases have each under names of their own."""
    groups: list[list[Advisory]] = []
    for one in found:
        same = [group for group in groups if any(set(other.ids) & set(one.ids) for other in group)]
        groups = [group for group in groups if group not in same]
        groups.append([*(other for group in same for other in group), one])
    return sorted((_one(group) for group in groups), key=lambda one: _rank(one.ids[0]))


def _one(group: list[Advisory]) -> Advisory:
    ids = {name for one in group for name in one.ids}
    said = min((one.summary for one in group if one.summary), key=lambda text: (len(text), text), default="")
    return Advisory.of(ids, said, {version for one in group for version in one.fixed})


@dataclass(frozen=True)
class Unasked:
    """Nobody could be asked about a package. why: in words."""

    why: str


@dataclass(frozen=True)
class Unknown:
    """Who was asked does not know the package."""


Answer = list[Advisory] | Unknown | Unasked


@dataclass(frozen=True, kw_only=True)
class Vulnerable:
    """A locked package with a known vulnerability. use: where the stack has it. accepted: the stack's reason, or ""."""

    package: Package
    use: Use
    advisory: Advisory
    accepted: str = ""

    @property
    def fixed(self) -> tuple[str, ...]:
        """The later versions that do not have it."""
        own = self.package.public
        return tuple(one for one in self.advisory.fixed if own is None or _place(one)[1] > own)

    def document(self) -> dict[str, Any]:
        """For --json."""
        return {
            "package": self.package.name,
            "version": self.package.version,
            "use": self.use,
            "id": self.advisory.ids[0],
            "aliases": list(self.advisory.ids[1:]),
            "summary": self.advisory.summary,
            "fixed": list(self.fixed),
            "accepted": self.accepted,
        }


@dataclass(kw_only=True)
class Audited:
    """What is known of one stack's packages.

    lock: its digest. packages: how many. idle: ids that the stack accepts and that no package has.
    """

    stack: str
    lock: str
    packages: int
    vulnerable: list[Vulnerable] = field(default_factory=list)
    unknown: list[Package] = field(default_factory=list)
    unasked: dict[Package, str] = field(default_factory=dict)
    idle: list[str] = field(default_factory=list)

    @property
    def open(self) -> list[Vulnerable]:
        """Those that the stack does not accept."""
        return [one for one in self.vulnerable if not one.accepted]

    def document(self) -> dict[str, Any]:
        """For --json."""
        return {
            "lock": self.lock,
            "packages": self.packages,
            "vulnerable": [one.document() for one in self.vulnerable],
            "unknown": [f"{one.name} {one.version}" for one in self.unknown],
            "unasked": [{"package": f"{one.name} {one.version}", "why": why} for one, why in self.unasked.items()],
            "idle": self.idle,
        }
