"""The parts of a stack file that say what is compiled, and with what. No IO here."""

from __future__ import annotations

import posixpath
from typing import Literal

from pydantic import ConfigDict, Field, model_validator

from builder.origin import Origin
from builder.spec.parts import Edit, Frozen, keys_like
from builder.spec.text import (
    ENV_PATTERN,
    AbsolutePath,
    Commit,
    CudaHome,
    EnvName,
    Flag,
    HttpsUrl,
    InsidePath,
    Module,
    PackageName,
    PackageRequirement,
    PlainText,
    Sha256,
    SystemPackage,
    refuse,
)


class Toolchain(Frozen):
    """What compiles: it serves stages of its own and never reaches the image."""

    packages: tuple[PackageRequirement, ...] = Field(
        default=(), description="Python packages: torch, setuptools, wheel, ninja, nvcc; versions follow the stack's"
    )
    system: tuple[SystemPackage, ...] = Field(default=(), description="system packages, such as g++ and ccache")
    cuda_home: CudaHome | None = Field(
        default=None, alias="cuda-home", description="the CUDA toolkit: a folder of site-packages, or an absolute path"
    )


class Flags(Frozen):
    """Extra flags for the compilers."""

    cxx: tuple[Flag, ...] = ()
    nvcc: tuple[Flag, ...] = ()


class Download(Frozen):
    """A file fetched by its hash and put into an extension's source before that is compiled."""

    url: HttpsUrl
    sha256: Sha256 | None = Field(default=None, description="recorded by the first fetch if absent")
    size: int | None = Field(default=None, ge=0, description="bytes")
    into: InsidePath = Field(description="the folder, below the source's; the file keeps the name its address has")

    @property
    def origin(self) -> Origin:
        """Where it is found, as a lock says it."""
        return Origin("https", self.url)

    @property
    def fetched_name(self) -> str:
        """The last part of its address."""
        return self.url.split("?")[0].rpartition("/")[2]

    @property
    def place(self) -> str:
        """Its path below the source's folder."""
        return posixpath.normpath(f"{self.into}/{self.fetched_name}")


class Extension(Frozen):
    """A Python package compiled for the stack: from `path` (inside a source), from `git` (a source of its own),
    or, with neither, from the sdist that the lock has for it (list it in `packages` and `from-source`)."""

    model_config = ConfigDict(
        json_schema_extra={
            "dependentRequired": {"git": ["commit"], "commit": ["git"], "folder": ["git"]},
            "not": {
                "anyOf": [{"required": ["path", key]} for key in ("git", "edits", "files", "downloads")],
            },
            "if": {"properties": {"install": {"const": "editable"}}, "required": ["install"]},
            "then": {"required": ["path"]},
        }
    )

    name: PackageName = Field(description="the name that its wheel has")
    path: AbsolutePath | None = Field(default=None, description="the folder of its setup.py, inside a source's `into`")
    git: HttpsUrl | None = None
    commit: Commit | None = None
    folder: InsidePath | None = Field(default=None, description="of its setup.py in the git source")
    imports: tuple[Module, ...] = Field(default=(), alias="import", description="modules that must import")
    compiled: tuple[Module, ...] = Field(min_length=1, description="modules that must be shared objects")
    cuda: bool = Field(default=True, description="false: it holds no code for GPUs, and is not asked for any")
    install: Literal["wheel", "editable"] = Field(
        default="wheel", description="editable: the source stays where it is, and a .pth puts it on sys.path"
    )
    package_dir: InsidePath = Field(
        default=".", alias="package-dir", description="editable: the folder of its packages, below `path`"
    )
    env: dict[EnvName, PlainText] = Field(default_factory=dict, json_schema_extra=keys_like(ENV_PATTERN))
    flags: Flags = Field(default_factory=Flags)
    edits: tuple[Edit, ...] = Field(default=(), description="of its own source; those of `path` belong to the source")
    files: InsidePath | None = Field(default=None, description="a folder of files/, laid over its own source")
    downloads: tuple[Download, ...] = Field(
        default=(), description="put into its own source: what its build would fetch, were there a network"
    )

    @model_validator(mode="after")
    def _whole(self) -> Extension:
        if self.path and self.git:
            raise refuse("an extension has at most one of `path` and `git`", "keep one of the two")
        if bool(self.git) != bool(self.commit):
            raise refuse("`git` and `commit` belong together", "give both")
        if self.folder and not self.git:
            raise refuse("`folder` is of a `git` source", "give `git` and `commit`, or `path` instead")
        if self.edits and self.path:
            raise refuse("`edits` of an extension inside a source", "move them to the `edits` of that source")
        if self.install == "editable" and not self.path:
            raise refuse("`install: editable` needs `path`", "put the source into the image, or leave `install` out")
        if self.path and (self.files or self.downloads):
            problem = "`files` and `downloads` go over a source that stays out of the image, and `path` is inside one"
            raise refuse(problem, "give the extension its `git`, or leave them out")
        places = [one.place for one in self.downloads]
        if twice := next((one for one in places if places.count(one) > 1), None):
            raise refuse(f"two downloads are put to {twice}", "give one of them another `into`")
        return self
