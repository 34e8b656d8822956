"""Wheels in groups, one build stage and one layer each, so that a small change leaves the big ones cached.

A wheel's group depends on that wheel alone, never on its neighbours: from 200 MB on it stands alone,
from 32 MB on it is in `wheels-large`, everything else is in `wheels`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from builder.lock.model import Artifact

MAIN = "wheels"
_ALONE, _LARGE = 200_000_000, 32_000_000  # bytes of a wheel: a group of its own; the group of the large ones


@dataclass(frozen=True)
class Group:
    """One named context of wheels. main: the group that is always there, even without wheels."""

    name: str
    wheels: tuple[Artifact, ...]
    main: bool = False

    def requirements(self) -> str:
        """The pinned, hashed requirements file of the group."""
        return "".join(f"{item.project}=={item.version} --hash=sha256:{item.sha256}\n" for item in self.wheels)


def grouped(wheels: Sequence[Artifact]) -> list[Group]:
    """The groups of a lock's wheels, the largest first and the main one last; an sdist is in none."""
    wheels = [item for item in wheels if item.kind != "sdist"]
    alone = sorted((item for item in wheels if item.size >= _ALONE), key=lambda item: (-item.size, item.project))
    large = tuple(item for item in wheels if _LARGE <= item.size < _ALONE)
    small = tuple(item for item in wheels if item.size < _LARGE)
    groups = [Group(f"{MAIN}-{item.project}", (item,)) for item in alone]
    if large:
        groups.append(Group(f"{MAIN}-large", large))
    return [*groups, Group(MAIN, small, main=True)]
