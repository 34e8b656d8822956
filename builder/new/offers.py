"""What the default index has of each project: whether a wheel of a version that is asked for runs on a Python."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from packaging.requirements import Requirement
from packaging.tags import Tag
from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import InvalidVersion, Version

from builder.errors import JobError, SurroundingsError
from builder.lock.tags import ranks
from builder.net.index import Link, default_index, links
from builder.net.session import Session
from builder.settings import Settings


@dataclass(frozen=True)
class Offer:
    """wheels: version and tags of each. sdists: versions. there: whether the index has the project at all."""

    wheels: tuple[tuple[Version, frozenset[Tag]], ...] = ()
    sdists: tuple[Version, ...] = ()
    there: bool = True

    def fits(self, asked: Requirement, python: str, glibc: str) -> bool:
        """Whether a wheel of a version that is asked for installs on that Python."""
        known = ranks(python, glibc)
        return any(
            asked.specifier.contains(version, prereleases=True) and not tags.isdisjoint(known)
            for version, tags in self.wheels
        )

    def builds(self, asked: Requirement) -> bool:
        """Whether there is an sdist of a version that is asked for."""
        return any(asked.specifier.contains(version, prereleases=True) for version in self.sdists)


def offers(projects: Iterable[str], settings: Settings) -> dict[str, Offer]:
    """What the default index has of these projects; none of them where it cannot be reached."""
    names = sorted(set(projects))
    with Session(settings) as session, ThreadPoolExecutor(8) as pool:
        try:
            index = default_index(settings)
            found = list(pool.map(lambda name: _offer(session, index, name), names))
        except SurroundingsError:
            return {}
    return dict(zip(names, found, strict=True))


def _offer(session: Session, index: str, name: str) -> Offer:
    try:
        page = links(session, index, name)
    except JobError:  # it answers that there is no such page
        return Offer(there=False)
    wheels, sdists = [], []
    for link in page.values():
        one = _parsed(link, name)
        if one and isinstance(one, tuple):
            wheels.append(one)
        elif one:
            sdists.append(one)
    return Offer(tuple(wheels), tuple(version for version in sdists if isinstance(version, Version)))


def _parsed(link: Link, name: str) -> tuple[Version, frozenset[Tag]] | Version | None:
    """A wheel's version and tags, an sdist's version; None for what is withdrawn or another's."""
    if link.yanked:
        return None
    try:
        if link.filename.endswith(".whl"):
            project, version, _, tags = parse_wheel_filename(link.filename)
            return (version, tags) if project == canonicalize_name(name) else None
        return parse_sdist_filename(link.filename)[1]
    except (InvalidWheelFilename, InvalidSdistFilename, InvalidVersion):
        return None
