"""Whether an advisory of the OSV schema speaks of a version. No IO here.

Source: https://ossf.github.io/osv-schema/, 1.7, "Evaluation": a version is affected that is listed, or lies in a range.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version
from pydantic import BaseModel, BeforeValidator

from builder.audit.model import Advisory, Package

PYPI = "PyPI"  # the ecosystem's name in the schema


def _none_is_empty(value: object) -> object:
    return [] if value is None else value


class _Part(BaseModel):
    pass


class Event(_Part):
    """A version from which, or to which, a range goes."""

    introduced: str | None = None
    fixed: str | None = None
    last_affected: str | None = None
    limit: str | None = None


class Range(_Part):
    """Versions between events. type: GIT ranges are of commits, which no lock of packages has."""

    type: str
    events: list[Event]

    @property
    def of_versions(self) -> bool:
        """Whether it speaks of versions."""
        return self.type in ("ECOSYSTEM", "SEMVER")


class Named(_Part):
    """A package of an ecosystem."""

    ecosystem: str
    name: str


class Affected(_Part):
    """What of one package is affected."""

    package: Named | None = None
    ranges: Annotated[list[Range], BeforeValidator(_none_is_empty)] = []
    versions: Annotated[list[str], BeforeValidator(_none_is_empty)] = []


class Document(_Part):
    """One advisory, of what the schema has what is read here."""

    id: str
    schema_version: str = "1.0.0"
    modified: str = ""
    withdrawn: str | None = None
    aliases: Annotated[list[str], BeforeValidator(_none_is_empty)] = []
    summary: str | None = None
    details: str | None = None
    affected: Annotated[list[Affected], BeforeValidator(_none_is_empty)] = []

    def projects(self) -> Iterator[tuple[str, Affected]]:
        """The Python packages that it speaks of, by canonical name."""
        for one in self.affected:
            if one.package and one.package.ecosystem.partition(":")[0] == PYPI:
                yield str(canonicalize_name(one.package.name)), one

    def about(self, package: Package) -> Advisory | None:
        """What it says of a package, None where it does not affect it or was withdrawn."""
        own = [one for name, one in self.projects() if name == package.name and affects(one, package)]
        if self.withdrawn or not own:
            return None
        ranges = [one for part in own for one in part.ranges if one.of_versions]
        fixed = {event.fixed for one in ranges for event in one.events if event.fixed}
        return Advisory.of([self.id, *self.aliases], self.summary or self.details or "", fixed)


def affects(one: Affected, package: Package) -> bool:
    """Whether the package's version is listed, or lies in a range.

    A local version (2.7.1+cu128) is its public one: the same release, compiled another way. What cannot be compared
    with a range, as one of the two is no version of Python's, counts as affected: a person has to look.
    """
    own = package.public
    if package.version in one.versions or (own and any(_version(text) == own for text in one.versions)):
        return True
    return any(own is None or _inside(part.events, own) for part in one.ranges if part.of_versions)


def _inside(events: list[Event], own: Version) -> bool:
    limits = [event.limit for event in events if event.limit and event.limit != "*"]
    try:
        if limits and not any(own < Version(limit) for limit in limits):
            return False
        ordered = sorted((_moment(event) for event in events if not event.limit), key=lambda pair: pair[0])
    except InvalidVersion:
        return True
    found = False
    for version, event in ordered:
        if event.introduced is not None:
            found = found or own >= version
        elif (event.fixed is not None and own >= version) or (event.last_affected is not None and own > version):
            found = False
    return found


def _moment(event: Event) -> tuple[Version, Event]:
    text = event.introduced or event.fixed or event.last_affected or ""
    # "0" is before every version, those of 0.dev0 too.
    return Version("0.dev0" if event.introduced == "0" else text), event


def _version(text: str) -> Version | None:
    try:
        return Version(text)
    except InvalidVersion:
        return None
