"""What is known of names and addresses: rows of known/*.yaml, each with its source."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path

from typing_extensions import NotRequired, TypedDict

from builder.facts import rows

_FOLDER = Path(__file__).parent / "known"


class Name(TypedDict):
    """What `name` is called: `to` on the default index, "" for what is not needed; or a `system` package."""

    of: str
    name: str
    to: str
    source: str
    system: NotRequired[str]
    why: NotRequired[str]


class Page(TypedDict):
    """Packages that an index whose address begins so serves, and that are taken from it."""

    address: str
    name: str
    packages: tuple[str, ...]
    source: str


class Needs(TypedDict):
    """What a package needs and does not bring: system packages, and what compiles it."""

    package: str
    source: str
    system: NotRequired[tuple[str, ...]]
    compile: NotRequired[tuple[str, ...]]


@functools.cache
def names(of: str) -> Mapping[str, Name]:
    """The rows of names.yaml of one kind (conda, import, project, python-version), by name."""
    return {row["name"]: row for row in rows(_FOLDER / "names.yaml", Name) if row["of"] == of}


def pages() -> tuple[Page, ...]:
    """The rows of pages.yaml."""
    return rows(_FOLDER / "pages.yaml", Page)


@functools.cache
def needs() -> Mapping[str, Needs]:
    """The rows of needs.yaml, by package."""
    return {row["package"]: row for row in rows(_FOLDER / "needs.yaml", Needs)}
