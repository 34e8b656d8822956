"""Versions as spans, by which it is told whether a requirement can, must or cannot meet a range."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

from packaging.specifiers import Specifier, SpecifierSet
from packaging.version import Version

_Edge = tuple[Version, int]  # 0: just before the version, 1: just after it
Meets = Literal["never", "maybe", "always"]


@lru_cache(8192)  # facts ask the same of every stack
def within(version: Version, versions: str) -> bool:
    """Whether a version is in a range such as ">=2.1,<2.6", whatever follows its +."""
    return SpecifierSet(versions).contains(version.public, prereleases=True)


def meets(asked: SpecifierSet, range_: str) -> Meets:
    """Whether what a requirement allows lies outside, across or inside a range. `!=` is passed over."""
    (low, high), (first, last) = _span(asked), _span(SpecifierSet(range_))
    if (high and first and high <= first) or (low and last and last <= low):
        return "never"
    inside = (first is None or (low is not None and first <= low)) and (
        last is None or (high is not None and high <= last)
    )
    return "always" if inside else "maybe"


def _span(specifiers: SpecifierSet) -> tuple[_Edge | None, _Edge | None]:
    edges = [_edges(one) for one in specifiers]
    return (
        max((low for low, _ in edges if low), default=None),
        min((high for _, high in edges if high), default=None),
    )


def _edges(one: Specifier) -> tuple[_Edge | None, _Edge | None]:
    """The lowest and the highest that one clause allows; None for no bound."""
    version = Version(one.version.removesuffix(".*"))
    if one.operator == "~=" or one.version.endswith(".*"):
        fixed = version.release[:-1] if one.operator == "~=" else version.release
        after = Version(".".join(map(str, (*fixed[:-1], fixed[-1] + 1))))
        return ((version, 0), (after, 0)) if one.operator != "!=" else (None, None)
    low = {">=": 0, ">": 1, "==": 0, "===": 0}.get(one.operator)
    high = {"<": 0, "<=": 1, "==": 1, "===": 1}.get(one.operator)
    return (None if low is None else (version, low), None if high is None else (version, high))
