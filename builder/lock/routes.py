"""Which index each package of a stack is taken from, today."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from packaging.requirements import Requirement
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion

from builder.errors import JobError, Unreachable
from builder.lock.tags import rank
from builder.net.index import Link, find_links, links
from builder.net.session import Session
from builder.spec.model import Stack
from builder.spec.parts import Index


@dataclass(frozen=True, kw_only=True)
class Routes:
    """of: canonical project name -> the index it comes from and no other; every other project from the default one.

    unreached: indexes that cannot be reached. compiled: projects that are compiled, as their index has no wheel that
    fits; those of them without a git source of their own come from the default index as an sdist.
    """

    of: Mapping[str, str]
    unreached: frozenset[str] = frozenset()
    compiled: frozenset[str] = frozenset()


def routes(stack: Stack, session: Session, *, partly: bool = False) -> Routes:
    """Where the packages of a stack come from. partly: give back the indexes that cannot be reached.

    Only indexes that this depends on are asked. Raises what Session raises for the others.
    """
    of = {str(canonicalize_name(name)): key for key, index in stack.indexes.items() for name in index.packages}
    unreached, compiled = set(), set()
    for name, index in stack.indexes.items():
        if not (partly or index.fallback):
            continue
        try:
            pages = {str(canonicalize_name(one)): _page(index, one, session) for one in index.packages}
        except Unreachable:
            if not partly:
                raise
            unreached.add(name)
            continue
        if index.fallback:
            compiled |= {project for project, page in pages.items() if not _fits(stack, project, page)}
    kept = {project: name for project, name in of.items() if project not in compiled}
    return Routes(of=kept, unreached=frozenset(unreached), compiled=frozenset(compiled))


def _page(index: Index, project: str, session: Session) -> dict[str, Link]:
    """What an index has of a project; nothing where it answers that there is no such page."""
    try:
        return find_links(session, index.find_links) if index.find_links else links(session, str(index.url), project)
    except JobError:
        return {}


def _fits(stack: Stack, project: str, page: Mapping[str, Link]) -> bool:
    """Whether a page has a wheel of a project that the stack asks for and can install."""
    asked = [one.specifier for one in map(Requirement, stack.packages) if canonicalize_name(one.name) == project]
    for link in page.values():
        try:
            name, version, _, tags = parse_wheel_filename(link.filename)
        except (InvalidWheelFilename, InvalidVersion):
            continue
        wanted = all(specifier.contains(version, prereleases=True) for specifier in asked)
        if name == project and wanted and not link.yanked and rank(tags, stack) is not None:
            return True
    return False
