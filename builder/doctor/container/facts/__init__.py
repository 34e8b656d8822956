"""Known facts of containers as data: each file a list of rows, each row with its source."""

from __future__ import annotations

from pathlib import Path

from typing_extensions import NotRequired, TypedDict

from builder import facts


class Module(TypedDict):
    """A compiled module that is imported to see whether it fits; its projects; the first that runs beside NumPy 2.

    torch: it is compiled for one release of torch.
    """

    module: str
    distributions: tuple[str, ...]
    numpy2: str
    torch: NotRequired[bool]
    source: str


class CacheFolder(TypedDict):
    """A folder that a package or program keeps files in; caches.yaml says what the fields are."""

    package: str
    program: str
    variables: tuple[str, ...]
    xdg: bool
    default: str
    downloads: bool
    what: str
    source: str


class Nameless(TypedDict):
    """Releases of a package that need a name of the user. what: fails without."""

    package: str
    versions: str
    what: str
    source: str


def nameless() -> tuple[Nameless, ...]:
    """The rows of nameless.yaml."""
    return facts.rows(Path(__file__).parent / "nameless.yaml", Nameless)


def modules() -> tuple[Module, ...]:
    """The rows of modules.yaml."""
    return facts.rows(Path(__file__).parent / "modules.yaml", Module)


def caches() -> tuple[CacheFolder, ...]:
    """The rows of caches.yaml."""
    return facts.rows(Path(__file__).parent / "caches.yaml", CacheFolder)
