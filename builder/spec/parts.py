"""The parts of a stack file: base, index, source, weight, extension. No IO here.

Every text is of a kind of builder.spec.text, which keeps it from breaking out of the place it is put to.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from builder.origin import Origin
from builder.spec.image import ImageReference
from builder.spec.text import (
    Commit,
    EditText,
    FileName,
    FilePath,
    GlibcVersion,
    HttpsUrl,
    InsidePath,
    Name,
    PackageName,
    PlainText,
    Repository,
    Sha256,
    SystemPackage,
    TargetPath,
    Text,
    refuse,
)

KeyFile = Annotated[str, Text(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}\.(asc|gpg)$", "an .asc or .gpg file", "archive.asc")]


def hash_prefix(name: str) -> str:
    """The first digits of its sha256 that a file's name tells by torch.hub's convention (NAME-7be5be79.pth), else "".

    Source: torch.hub.load_state_dict_from_url, check_hash: eight or more digits. Eight that read as a date are none.
    """
    found = re.search(r"-([0-9a-f]{8,64})\.(?:pth|pt|th|pth\.tar|zip)$", name)
    return found[1] if found and not re.fullmatch(r"(19|20)\d{6}", found[1]) else ""


def _one_of(first: str, second: str) -> dict[str, Any]:
    return {"oneOf": [{"required": [first]}, {"required": [second]}]}


def keys_like(pattern: str) -> dict[str, Any]:
    return {"propertyNames": {"pattern": pattern}}


_WEIGHT_RULES: dict[str, Any] = {
    "anyOf": [
        {"required": ["url"], "not": {"required": ["huggingface"]}},
        {"required": ["huggingface"], "not": {"required": ["url"]}},
        {"required": ["bake", "name"], "properties": {"bake": {"const": False}}},
    ],
    "dependentRequired": {
        "huggingface": ["revision", "path"],
        "revision": ["huggingface", "path"],
        "path": ["huggingface", "revision"],
    },
}


class Frozen(BaseModel):
    # defer_build: a part is made ready with the whole that holds it, not by itself as well
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, defer_build=True)


class Bootstrap(Frozen):
    """A base made here from locked .deb files, without any image registry."""

    distribution: Literal["debian", "ubuntu"] = Field(description="whose archive; the site's mirror serves it")
    suites: tuple[Name, ...] = Field(min_length=1, description="code names, such as bookworm or bookworm-security")
    packages: tuple[SystemPackage, ...] = Field(default=(), description="beside the essential and required ones")


class Base(Frozen):
    """The base image: exactly one of `bootstrap` and `image`."""

    model_config = ConfigDict(json_schema_extra=_one_of("bootstrap", "image"))

    bootstrap: Bootstrap | None = None
    image: ImageReference | None = Field(default=None, description="registry reference; the lock adds its digest")
    glibc: GlibcVersion = Field(description="the C library of the base; bounds the manylinux tags, checked by lock")

    @model_validator(mode="after")
    def _one_kind(self) -> Base:
        if (self.bootstrap is None) == (self.image is None):
            raise refuse("a base needs exactly one of `bootstrap` and `image`", "keep one of the two")
        return self


class AptArchive(Frozen):
    """An archive of system packages beside that of the base's distribution, whose signature is verified by `key`."""

    url: HttpsUrl
    suite: Name
    components: tuple[Name, ...] = Field(default=("main",), min_length=1)
    key: KeyFile = Field(description="its public key, a file beside stack.yaml")
    packages: tuple[SystemPackage, ...] = Field(
        default=(), description="come from here also where the distribution has them; all others only where it has none"
    )

    @property
    def address(self) -> str:
        """Its address without a slash at the end."""
        return self.url.rstrip("/")


class Index(Frozen):
    """A package index beside the default one, and exactly the packages that may come from it."""

    model_config = ConfigDict(json_schema_extra=_one_of("url", "find-links"))

    url: HttpsUrl | None = Field(default=None, description="simple API (PEP 503 or PEP 691)")
    find_links: HttpsUrl | None = Field(default=None, alias="find-links", description="a page of links")
    packages: tuple[PackageName, ...] = Field(min_length=1)
    fallback: bool = Field(
        default=False, description="where it has no wheel that fits, the extension of that name is compiled"
    )

    @model_validator(mode="after")
    def _one_address(self) -> Index:
        if (self.url is None) == (self.find_links is None):
            raise refuse("an index needs exactly one of `url` and `find-links`", "keep one of the two")
        return self


class Edit(Frozen):
    """A change of a text in a source's file, which must be there exactly as often as said."""

    file: FilePath = Field(description="below the source's folder")
    old: EditText
    new: str = Field(max_length=65536)
    times: int = Field(default=1, ge=1, le=1000, description="how often `old` must be there; all of them are replaced")

    def document(self) -> dict[str, Any]:
        """JSON-ready, without what is as by default: keys made of it hold when a field is added."""
        return self.model_dump(exclude_defaults=True)


class Source(Frozen):
    """A git source at a full commit, put into the image without its history."""

    git: HttpsUrl
    commit: Commit
    into: TargetPath
    edits: tuple[Edit, ...] = Field(default=(), description="declared changes of its files")


class OwnFiles(Frozen):
    """A folder of files/ beside stack.yaml, put into the image."""

    folder: InsidePath = Field(alias="from", description="below files/")
    into: TargetPath


class Member(Frozen):
    """The one file of a zip archive that is wanted."""

    path: FilePath = Field(description="as the archive lists it")
    sha256: Sha256 | None = Field(default=None, description="of the file itself; recorded by the first fetch if absent")


class Weight(Frozen):
    """A data file put into the image, or (bake: false) mounted when a container is started."""

    model_config = ConfigDict(json_schema_extra=_WEIGHT_RULES)

    url: HttpsUrl | None = None
    huggingface: Repository | None = Field(default=None, description="instead of url; needs revision and path")
    revision: Commit | None = None
    path: FilePath | None = Field(default=None, description="of the file in the Hugging Face repository")
    sha256: Sha256 | None = Field(default=None, description="of what is fetched; recorded by the first fetch if absent")
    size: int | None = Field(default=None, ge=0, description="bytes of what is fetched")
    name: FileName | None = Field(default=None, description="in the image; default: as the address or member has it")
    member: Member | None = Field(default=None, description="take this file out of the zip archive that is fetched")
    licence: PlainText | None = Field(default=None, description="a note on what its licence asks")
    bake: bool = Field(default=True, description="false: never put into an image, mounted at run time instead")
    into: TargetPath = Field(description="the folder in the image")

    @property
    def origin(self) -> Origin | None:
        """Where it is found, as a lock says it: an https address, or a file on Hugging Face; None for nowhere."""
        if self.huggingface:
            return Origin("hf", self.huggingface, self.revision or "", self.path or "")
        return Origin("https", self.url) if self.url else None

    @property
    def fetched_name(self) -> str:
        """The last part of its address: the name of what is fetched, "" where the address has none."""
        return (self.path or self.url or "").split("?")[0].rpartition("/")[2]

    @property
    def filename(self) -> str:
        """The name it has in the image."""
        return self.name or (self.member.path.rpartition("/")[2] if self.member else self.fetched_name)

    @model_validator(mode="after")
    def _whole(self) -> Weight:
        parts = (self.huggingface, self.revision, self.path)
        if any(parts) and not all(parts):
            raise refuse("`huggingface`, `revision` and `path` belong together", "give all three, or `url` instead")
        if self.url and self.huggingface:
            raise refuse("a weight needs exactly one of `url` and `huggingface`", "keep one of the two")
        if not self.origin and (self.bake or not self.name):
            raise refuse(
                "a weight needs `url` or `huggingface`",
                "give one of them; a file with `bake: false` may have `name` alone",
            )
        self._check_prefix(self.fetched_name, self.sha256)
        if not re.fullmatch(r"(?!\.\.?$)[A-Za-z0-9._][A-Za-z0-9._+!%~=@-]{0,149}", self.filename):
            raise refuse(f"{self.filename[:200]!r}, the end of its address, is no file name", "give it a `name`")
        if self.member:
            self._check_prefix(self.member.path, self.member.sha256)
        return self

    @staticmethod
    def _check_prefix(name: str, sha256: str | None) -> None:
        if sha256 and (prefix := hash_prefix(name)) and not sha256.startswith(prefix):
            raise refuse(
                f"sha256 {sha256} does not begin with {prefix}, which the name {name} says it does",
                "correct the sha256 or the address; torch.hub names files by the first digits of their sha256",
            )
