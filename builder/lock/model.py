"""What a lock holds: each file a build needs by name, size and sha256, and no default registry's host. No IO here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from builder.origin import Origin

LOCK_VERSION = 1
# Room on the disk, times what is fetched: the files, the image and as much again in BuildKit's cache, and what
# a publish packs. Measured: 0.19 GB and an image of 0.69 GB (onnx-cpu), 2.2 GB and 4.3 GB (ort-cudnn9).
ROOM = 9

Kind = Literal["wheel", "sdist", "deb", "tool", "source", "weight", "archive", "blob", "built"]


def folder_of(kind: Kind) -> str:
    """The folder of a kind of file to fetch, relative to the home folder."""
    if kind == "blob":
        return "assets/bases/blobs"
    return "wheels" if kind in ("wheel", "sdist", "tool") else f"assets/{kind}s"


@dataclass(frozen=True, kw_only=True)
class Artifact:
    """One file to fetch.

    filename: the name it has in its folder. size: bytes. sha256: 64 hex digits.
    origin: where it is found, neutral of mirrors. project: whose file it is; of a blob manifest, config or layer.
    A weight or archive whose hash nobody could tell is pending: its sha256 is "" until the first fetch
    records it. seen: the address that a recorded hash was first seen at, "" for a hash that was given.
    """

    kind: Kind
    filename: str
    size: int
    sha256: str
    origin: Origin
    project: str = ""
    version: str = ""
    seen: str = ""

    @property
    def pending(self) -> bool:
        """Whether its sha256 is not known yet."""
        return not self.sha256

    @property
    def folder(self) -> str:
        """The folder it belongs in, relative to the home folder, e.g. wheels or assets/debs."""
        return f"wheels/built/{self.origin.place}" if self.kind == "built" else folder_of(self.kind)


@dataclass(frozen=True, kw_only=True)
class Unresolved:
    """A part of a stack that could not be reached when it was locked with --pending.

    kind: "base" for the base image, else the kind of file. name: of the image, package, source or weight.
    version: of a wheel or source. filename and sha256: where they are publicly known. origin: as of an Artifact,
    None for system packages, which are resolved inside the base.
    """

    kind: Literal["base", "wheel", "deb", "source", "weight", "archive"]
    name: str
    version: str = ""
    filename: str = ""
    sha256: str = ""
    origin: Origin | None = None


@dataclass(frozen=True, kw_only=True)
class LockedIndex:
    """A named index of the stack: its address and whether it is a plain page of links."""

    url: str
    find_links: bool


@dataclass(frozen=True, kw_only=True)
class LockedBase:
    """The base image: a registry digest, or the .deb files a bootstrapped one is made of.

    digest: "" for an image that is unresolved; reference then has none either. epoch: SOURCE_DATE_EPOCH of the
    bootstrap (the archive's own release date), 0 for an image. blobs: of an image, its manifest for linux/amd64, its
    configuration and its layers, in that order; none in locks made before blobs were locked.
    """

    kind: Literal["bootstrap", "image"]
    reference: str = ""
    digest: str = ""
    distribution: str = ""
    include: tuple[str, ...] = ()
    epoch: int = 0
    debs: tuple[Artifact, ...] = ()
    blobs: tuple[Artifact, ...] = ()


@dataclass(frozen=True, kw_only=True)
class StackLock:
    """Everything locked for one stack.

    inputs: digest of everything that shaped the resolution; another one means the lock is stale.
    epoch: SOURCE_DATE_EPOCH of the image, seconds since 1970. digest: sha256 of stack.lock, which
    holds the sha256 of pylock.toml. wheels: as pylock.toml lists them. archives: zip files that weights are in, and
    what extensions ask for as `downloads`.
    toolchain and toolchain_debs: what the compile stage installs, those among `wheels` too.
    extension_sources: the git sources of extensions that have one of their own. built: the compiled wheels;
    each is recorded when it is first compiled, as a compiler's output may differ from run to run.
    unresolved: what could not be reached; a lock is whole without, and only a whole one is fetched or built.
    """

    stack: str
    inputs: str
    epoch: int
    python: str
    platform: str
    indexes: dict[str, LockedIndex]
    base: LockedBase
    wheels: tuple[Artifact, ...]
    debs: tuple[Artifact, ...]
    tools: tuple[Artifact, ...]
    sources: tuple[Artifact, ...]
    weights: tuple[Artifact, ...]
    digest: str
    archives: tuple[Artifact, ...] = ()
    toolchain: tuple[Artifact, ...] = ()
    toolchain_debs: tuple[Artifact, ...] = ()
    extension_sources: tuple[Artifact, ...] = ()
    built: tuple[Artifact, ...] = ()
    unresolved: tuple[Unresolved, ...] = ()

    @property
    def pending(self) -> tuple[Artifact, ...]:
        """The files whose sha256 is not known yet."""
        return tuple(item for item in (*self.archives, *self.weights) if item.pending)

    def carried(self) -> tuple[Artifact, ...]:
        """Every file that a build needs, the compiled wheels too."""
        return (*self.artifacts(), *self.built)

    def artifacts(self) -> tuple[Artifact, ...]:
        """Every file to fetch, in a fixed order; the compiled wheels are not among them."""
        base = (*self.base.debs, *self.base.blobs)
        own = (*self.wheels, *self.tools, *base, *self.debs, *self.sources, *self.archives, *self.weights)
        return tuple(dict.fromkeys((*own, *self.toolchain, *self.toolchain_debs, *self.extension_sources)))
