"""What stack.lock and pylock.toml may say, to the letter. No IO here.

A lock may come from anyone, in a bundle or a pull request, and its values become paths, addresses, lines of a
Dockerfile and words of command lines. As in stack files, every text is held to a pattern and no key is unknown.
"""

from __future__ import annotations

import re
from functools import cached_property
from typing import Annotated, ClassVar, Literal

from pydantic import ConfigDict, Field, ModelWrapValidatorHandler, PlainValidator, model_validator
from typing_extensions import Self

from builder.lock.model import Artifact, Kind, LockedBase, LockedIndex, Unresolved
from builder.lock.shared import shared
from builder.origin import FILE_NAME_PATTERN, Origin, Scheme
from builder.spec.parts import Frozen
from builder.spec.text import HttpsUrl, Name, PythonVersion, Sha256, SystemPackage, Text, refuse

LAST_EPOCH = 253402300799  # the end of the year 9999, after which no date can be written
_LARGEST = 1 << 50  # bytes of a file


def _text(pattern: str, what: str) -> tuple[Text, Text]:
    """A text held to a pattern, and the same where it may be empty."""
    return Text(f"^({pattern})$", what, ""), Text(f"^({pattern})?$", what, "")


_WORD, _NO_WORD = _text(r"[A-Za-z0-9][A-Za-z0-9._+!%~=@:-]{0,199}", "a name or version")
_FILE, _NO_FILE = _text(rf"(?=.{{1,200}}$){FILE_NAME_PATTERN}", "a file name")
_, _NO_SHA256 = _text("[0-9a-f]{64}", "a sha256 (64 hex digits, lower case)")
_, _NO_DIGEST = _text("sha256:[0-9a-f]{64}", "the digest of an image")
_IMAGE, _NO_IMAGE = _text(r"[a-z0-9][a-zA-Z0-9._:/-]*(@sha256:[0-9a-f]{64})?", "an image reference")

Word = Annotated[str, _WORD]
FileName = Annotated[str, _FILE]
Project = Annotated[
    str, Text(r"^[a-z0-9]([a-z0-9-]{0,198}[a-z0-9])?$", "the canonical name of a Python package", "typing-extensions")
]
Platform = Annotated[str, Text(r"^x86_64-manylinux_2_[0-9]{1,2}$", "a platform", "x86_64-manylinux_2_36")]
# The ellipsis stands where a query or a path parameter was left out of what is shown.
Address = Annotated[str, Text(r"^[\x21-\x7e…]{0,4096}$", "an address on one line", "https://example.org/net.pth")]
Wanted = Annotated[
    str, Text(r"^[A-Za-z0-9][A-Za-z0-9._+!%~=@:/-]{0,299}$", "the name of what is unresolved", "nvidia/cuda")
]
Size = Annotated[int, Field(ge=0, le=_LARGEST)]
Epoch = Annotated[int, Field(ge=0, le=LAST_EPOCH)]


def _origin(value: object) -> Origin:
    if not isinstance(value, str):
        raise refuse("it is no text", "")
    try:
        return Origin.parse(value)
    except ValueError as error:
        raise refuse(str(error), "") from None


Found = Annotated[Origin, PlainValidator(_origin)]


class Document(Frozen):
    """A table whose keys are written with hyphens."""

    model_config = ConfigDict(alias_generator=lambda name: name.replace("_", "-"))


class Row(Frozen):
    """One file of stack.lock. kind: of these files. schemes: of their origins."""

    kind: ClassVar[Kind]
    schemes: ClassVar[tuple[Scheme, ...]]

    name: Word
    version: Word
    file: FileName
    size: Size
    sha256: Annotated[str, _NO_SHA256]
    origin: Found
    pending: Literal[True] | None = None
    seen: Address = ""

    @model_validator(mode="wrap")
    @classmethod
    def _shared(cls, value: object, handler: ModelWrapValidatorHandler[Self]) -> Self:
        return shared(cls, value, handler)

    @model_validator(mode="after")
    def _whole(self) -> Row:
        if self.origin.scheme not in self.schemes:
            raise refuse(f"a {self.kind} does not come from {str(self.origin)[:200]!r}", "")
        if (self.sha256 == "") != bool(self.pending) or (self.pending and self.kind not in ("weight", "archive")):
            raise refuse(f"the sha256 of {self.file} is neither given nor pending", "")
        return self

    @cached_property
    def artifact(self) -> Artifact:
        """As the rest of the program has it."""
        return Artifact(
            kind=self.kind,
            filename=self.file,
            size=self.size,
            sha256=self.sha256,
            origin=self.origin,
            project=self.name,
            version=self.version,
            seen=self.seen,
        )


class Deb(Row):
    kind, schemes = "deb", ("archive", "https")
    name: SystemPackage


class Tool(Row):
    kind, schemes = "tool", ("index",)
    name: Project


class Compiler(Row):
    kind, schemes = "wheel", ("index",)
    name: Project


class GitSource(Row):
    kind, schemes = "source", ("git",)


class Weight(Row):
    kind, schemes = "weight", ("https", "hf", "member")


class Archive(Row):
    kind, schemes = "archive", ("https", "hf")


class Built(Row):
    kind, schemes = "built", ("built",)
    name: Project


class Blob(Row):
    """A part of an image, named by its digest: under the name of another it would be taken for that one."""

    kind, schemes = "blob", ("registry",)
    name: Literal["manifest", "config", "layer"]

    @model_validator(mode="after")
    def _named(self) -> Blob:
        if self.file != self.sha256:
            raise refuse(f"the blob {self.file} is not named by its sha256", "")
        return self


class Left(Frozen):
    """A part that is unresolved."""

    kind: Literal["base", "wheel", "deb", "source", "weight", "archive"]
    name: Wanted
    version: Annotated[str, _NO_WORD] = ""
    file: Annotated[str, _NO_FILE] = ""
    sha256: Annotated[str, _NO_SHA256] = ""
    origin: Found | None = None

    def part(self) -> Unresolved:
        """As the rest of the program has it."""
        return Unresolved(
            kind=self.kind,
            name=self.name,
            version=self.version,
            filename=self.file,
            sha256=self.sha256,
            origin=self.origin,
        )


class Base(Frozen):
    """The base image."""

    kind: Literal["bootstrap", "image"]
    reference: Annotated[str, _NO_IMAGE]
    digest: Annotated[str, _NO_DIGEST]
    distribution: Literal["debian", "ubuntu", ""]
    include: list[SystemPackage]
    epoch: Epoch

    @model_validator(mode="after")
    def _one_kind(self) -> Base:
        made = self.kind == "bootstrap"
        if made != bool(self.distribution) or made == bool(self.reference):
            raise refuse("a bootstrap has a `distribution`, an image a `reference`, and neither has both", "")
        if made and self.digest:
            raise refuse("a bootstrap has no `digest`", "")
        if self.digest and self.reference.partition("@")[2] != self.digest:
            raise refuse(f"`reference` names another digest than `digest`: {self.reference}", "")
        return self


class Index(Frozen):
    """A named index."""

    url: HttpsUrl
    find_links: bool


def blobs(rows: list[Blob]) -> list[Blob]:
    """The parts of one image in their order. Raises refuse() for other parts."""
    if rows and [one.name for one in rows] != ["manifest", "config", *["layer"] * (len(rows) - 2)]:
        raise refuse("an image has one manifest, one config and layers, in that order", "")
    return rows


class LockFile(Document):
    """stack.lock of a stack."""

    version: Literal[1]
    stack: Name
    inputs: Sha256
    epoch: Epoch
    python: PythonVersion
    platform: Platform
    pylock: Sha256
    tools: list[Tool]
    debs: list[Deb]
    base_debs: list[Deb]
    sources: list[GitSource]
    weights: list[Weight]
    archives: list[Archive] = Field(default_factory=list)
    base_blobs: list[Blob] = Field(default_factory=list)
    toolchain: list[Compiler] = Field(default_factory=list)
    toolchain_debs: list[Deb] = Field(default_factory=list)
    extension_sources: list[GitSource] = Field(default_factory=list)
    built: list[Built] = Field(default_factory=list)
    unresolved: list[Left] = Field(default_factory=list)
    base: Base
    indexes: dict[Name, Index]
    routes: dict[Project, Name]

    @model_validator(mode="after")
    def _whole(self) -> LockFile:
        blobs(self.base_blobs)
        if [one.name for one in self.tools] != ["uv"]:
            raise refuse("`tools` is the one program uv", "")
        waiting = any(one.kind == "base" for one in self.unresolved)
        if self.base.kind == "image" and not self.base.digest and not waiting:
            raise refuse("the image in `base` has no digest, and is not among what is unresolved", "")
        if (self.base.kind == "image" and self.base_debs) or (not self.base.digest and self.base_blobs):
            raise refuse("`base-debs` are of a bootstrap and `base-blobs` of an image with a digest", "")
        named = {*self.routes.values(), *(one.origin.place for one in self.toolchain if one.origin.scheme == "index")}
        if lost := sorted(named - {"default", *self.indexes}):
            raise refuse(f"a package comes from the index {lost[0]}, which `indexes` does not have", "")
        return self

    def locked_base(self) -> LockedBase:
        """The base with its files."""
        return LockedBase(
            kind=self.base.kind,
            reference=self.base.reference,
            digest=self.base.digest,
            distribution=self.base.distribution,
            include=tuple(self.base.include),
            epoch=self.base.epoch,
            debs=tuple(one.artifact for one in self.base_debs),
            blobs=tuple(one.artifact for one in self.base_blobs),
        )

    def locked_indexes(self) -> dict[str, LockedIndex]:
        """The named indexes."""
        return {name: LockedIndex(url=one.url, find_links=one.find_links) for name, one in self.indexes.items()}


class ServiceLockFile(Frozen):
    """stack.lock of a service."""

    version: Literal[1]
    kind: Literal["service"]
    stack: Name
    inputs: Sha256
    reference: Annotated[str, _IMAGE]
    blobs: list[Blob]

    @model_validator(mode="after")
    def _whole(self) -> ServiceLockFile:
        if not re.fullmatch(r".+@sha256:[0-9a-f]{64}", self.reference):
            raise refuse(f"{self.reference!r} is not an image by its digest", "")
        if not blobs(self.blobs):
            raise refuse("the blobs do not begin with a manifest and a configuration", "")
        return self
