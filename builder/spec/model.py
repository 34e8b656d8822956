"""What a stack and a family say, as frozen typed values. No IO here.

Every text is of a kind of builder.spec.text, which keeps it from breaking out of the place it is put to.
"""

from __future__ import annotations

import posixpath
import re
from typing import Any, Literal

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from pydantic import BaseModel, ConfigDict, Field, model_validator

from builder.spec.text import (
    ENV_PATTERN,
    FINDING_PATTERN,
    NAME_PATTERN,
    AbsolutePath,
    Capability,
    CheckName,
    Commit,
    CudaHome,
    CudaVersion,
    EditText,
    EnvName,
    FileName,
    FilePath,
    FindingName,
    Flag,
    GlibcVersion,
    HttpsUrl,
    ImageReference,
    InsidePath,
    Module,
    Name,
    PackageName,
    PackageRequirement,
    PlainText,
    PythonVersion,
    Reason,
    Repository,
    Sha256,
    SystemPackage,
    TargetPath,
    refuse,
)

__all__ = [
    "NAME_PATTERN",
    "Base",
    "Bootstrap",
    "Clash",
    "Download",
    "Edit",
    "Extension",
    "Family",
    "Index",
    "Member",
    "Source",
    "Stack",
    "StackFile",
    "Toolchain",
    "Weight",
    "clashes",
    "merge",
    "refuse",
]


def hash_prefix(name: str) -> str:
    """The first digits of its sha256 that a file's name tells by torch.hub's convention (NAME-7be5be79.pth), else "".

    Source: torch.hub.load_state_dict_from_url, check_hash: eight or more digits. Eight that read as a date are none.
    """
    found = re.search(r"-([0-9a-f]{8,64})\.(?:pth|pt|th|pth\.tar|zip)$", name)
    return found[1] if found and not re.fullmatch(r"(19|20)\d{6}", found[1]) else ""


def _one_of(first: str, second: str) -> dict[str, Any]:
    return {"oneOf": [{"required": [first]}, {"required": [second]}]}


def _keys_like(pattern: str) -> dict[str, Any]:
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


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Bootstrap(_Frozen):
    """A base made here from locked .deb files, without any image registry."""

    distribution: Literal["debian", "ubuntu"] = Field(description="whose archive; the site's mirror serves it")
    suites: tuple[Name, ...] = Field(min_length=1, description="code names, such as bookworm or bookworm-security")
    packages: tuple[SystemPackage, ...] = Field(default=(), description="beside the essential and required ones")


class Base(_Frozen):
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


class Index(_Frozen):
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


class Edit(_Frozen):
    """A change of one place in a source's file: `old` must be there exactly once."""

    file: FilePath = Field(description="below the source's folder")
    old: EditText
    new: str = Field(max_length=65536)


class Source(_Frozen):
    """A git source at a full commit, put into the image without its history."""

    git: HttpsUrl
    commit: Commit
    into: TargetPath
    edits: tuple[Edit, ...] = Field(default=(), description="declared changes of its files, each of one place")


class OwnFiles(_Frozen):
    """A folder of files/ beside stack.yaml, put into the image."""

    folder: InsidePath = Field(alias="from", description="below files/")
    into: TargetPath


class Member(_Frozen):
    """The one file of a zip archive that is wanted."""

    path: FilePath = Field(description="as the archive lists it")
    sha256: Sha256 | None = Field(default=None, description="of the file itself; recorded by the first fetch if absent")


class Weight(_Frozen):
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
    def origin(self) -> str:
        """Where it is found, as a lock says it: an https address, hf:OWNER/NAME@REVISION/PATH, or "" for nowhere."""
        return f"hf:{self.huggingface}@{self.revision}/{self.path}" if self.huggingface else self.url or ""

    @property
    def fetched_name(self) -> str:
        """The last part of its address: the name of what is fetched, "" where the address has none."""
        return self.origin.split("?")[0].rpartition("/")[2] if "/" in self.origin else ""

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


class Toolchain(_Frozen):
    """What compiles: it serves stages of its own and never reaches the image."""

    packages: tuple[PackageRequirement, ...] = Field(
        default=(), description="Python packages: torch, setuptools, wheel, ninja, nvcc; versions follow the stack's"
    )
    system: tuple[SystemPackage, ...] = Field(default=(), description="system packages, such as g++ and ccache")
    cuda_home: CudaHome | None = Field(
        default=None, alias="cuda-home", description="the CUDA toolkit: a folder of site-packages, or an absolute path"
    )


class Flags(_Frozen):
    """Extra flags for the compilers."""

    cxx: tuple[Flag, ...] = ()
    nvcc: tuple[Flag, ...] = ()


class Download(_Frozen):
    """A file fetched by its hash and put into an extension's source before that is compiled."""

    url: HttpsUrl
    sha256: Sha256 | None = Field(default=None, description="recorded by the first fetch if absent")
    size: int | None = Field(default=None, ge=0, description="bytes")
    into: InsidePath = Field(description="the folder, below the source's; the file keeps the name its address has")

    @property
    def origin(self) -> str:
        """Where it is found, as a lock says it."""
        return self.url

    @property
    def fetched_name(self) -> str:
        """The last part of its address."""
        return self.url.split("?")[0].rpartition("/")[2]

    @property
    def place(self) -> str:
        """Its path below the source's folder."""
        return posixpath.normpath(f"{self.into}/{self.fetched_name}")


class Extension(_Frozen):
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
    env: dict[EnvName, PlainText] = Field(default_factory=dict, json_schema_extra=_keys_like(ENV_PATTERN))
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


class _Shared(_Frozen):
    """Keys that a family and a stack have in common; a stack's add to its family's."""

    packages: tuple[PackageRequirement, ...] = Field(default=(), description="Python requirements (PEP 508)")
    from_source: tuple[PackageName, ...] = Field(
        default=(), alias="from-source", description="packages that may be locked as an sdist"
    )
    indexes: dict[Name, Index] = Field(default_factory=dict, json_schema_extra=_keys_like(NAME_PATTERN))
    system: tuple[SystemPackage, ...] = Field(default=(), description="system packages, resolved inside the base")
    libraries: tuple[InsidePath, ...] = Field(
        default=(), description="folders of site-packages put on the loader's path, e.g. nvidia/cudnn/lib"
    )
    env: dict[EnvName, PlainText] = Field(default_factory=dict, json_schema_extra=_keys_like(ENV_PATTERN))
    smoke: tuple[CheckName, ...] = Field(default=(), description="smoke tests to run, by name")
    toolchain: Toolchain | None = Field(default=None, description="what compiles the extensions")


class Family(_Shared):
    """A base, a Python and a package set that several stacks extend."""

    summary: PlainText
    base: Base
    python: PythonVersion
    interpreter: AbsolutePath = "/usr/bin/python3"
    cuda: CudaVersion | None = None
    torch: PlainText | None = None


class StackFile(_Shared):
    """What stacks/NAME/stack.yaml says."""

    summary: PlainText
    family: Name
    gpus: tuple[Capability, ...] = Field(default=(), description="compute capabilities the image must run on")
    sources: tuple[Source, ...] = ()
    weights: tuple[Weight, ...] = ()
    paths: tuple[AbsolutePath, ...] = Field(default=(), description="folders put on sys.path")
    extensions: tuple[Extension, ...] = Field(default=(), description="packages compiled for this stack")
    accept: dict[FindingName, Reason] = Field(
        default_factory=dict,
        description="findings of check to go on in spite of, each with its reason",
        json_schema_extra=_keys_like(FINDING_PATTERN),
    )
    files: tuple[OwnFiles, ...] = Field(default=(), description="folders of files/ put into the image")
    entrypoint: tuple[PlainText, ...] = Field(default=(), description="the program a container runs, and its arguments")
    workdir: AbsolutePath | None = Field(default=None, description="the folder a container starts in")


class Stack(StackFile):
    """A stack with its family's values merged in, under its name.

    files_digest: what its own files are. overlays: the same of an extension's `files`, by that folder's name.
    """

    name: Name
    base: Base
    python: PythonVersion
    interpreter: AbsolutePath
    cuda: CudaVersion | None
    torch: PlainText | None
    files_digest: str = ""
    overlays: dict[str, str] = Field(default_factory=dict, exclude=True)

    @property
    def platform(self) -> str:
        """The platform tag wheels are resolved for, e.g. x86_64-manylinux_2_36."""
        return f"x86_64-manylinux_2_{self.base.glibc.split('.')[1]}"

    @property
    def fallbacks(self) -> frozenset[str]:
        """The canonical names of packages that are compiled only where their index has no wheel that fits."""
        names = (name for index in self.indexes.values() if index.fallback for name in index.packages)
        return frozenset(str(canonicalize_name(name)) for name in names)

    @property
    def baked(self) -> tuple[Weight, ...]:
        """The weights that are put into the image."""
        return tuple(weight for weight in self.weights if weight.bake)

    @property
    def mounted(self) -> tuple[Weight, ...]:
        """The weights that are never put into an image: who runs it mounts them."""
        return tuple(weight for weight in self.weights if not weight.bake)

    def source_of(self, extension: Extension) -> int:
        """The place in `sources` of the innermost one that holds an extension's path. Raises ValueError for none."""
        folders = {place: f"{source.into.rstrip('/')}/" for place, source in enumerate(self.sources)}
        holding = [place for place, folder in folders.items() if f"{extension.path}/".startswith(folder)]
        return max(holding, key=lambda place: len(folders[place]))

    @property
    def site_packages(self) -> str:
        """The site-packages folder of the virtual environment in the image."""
        return f"/opt/venv/lib/python{self.python}/site-packages"


class Clash(ValueError):
    """Two parts of a stack speak of one thing.

    path: keys and positions of the offending value in the stack (or, of a family alone, the family). fix: what to do.
    """

    def __init__(self, path: tuple[str | int, ...], problem: str, fix: str) -> None:
        super().__init__(problem)
        self.path = path
        self.fix = fix


def _project(requirement: str) -> str:
    return str(canonicalize_name(Requirement(requirement).name))


def clashes(ours: _Shared, theirs: _Shared | None = None, whose: str = "") -> list[Clash]:
    """Packages named twice, projects claimed by two indexes, and index names used twice, in file order of `ours`.

    theirs: the family that `ours` extends, None for a family itself. whose: the family's name, for the message.
    """
    found: list[Clash] = []
    seen = {_project(item): f"its family {whose}" for item in theirs.packages} if theirs else {}
    for place, item in enumerate(ours.packages):
        if (project := _project(item)) in seen:
            found.append(
                Clash(("packages", place), f"package {project} is also in {seen[project]}", "keep one of the two")
            )
        seen.setdefault(project, f"packages[{place}]")
    claimed: dict[str, str] = {}
    for name, index in theirs.indexes.items() if theirs else ():
        claimed.update({str(canonicalize_name(item)): f"{name} of its family {whose}" for item in index.packages})
    for name, index in ours.indexes.items():
        if theirs and name in theirs.indexes:
            found.append(Clash(("indexes", name), f"index {name} is also in its family {whose}", "rename one of them"))
        for place, item in enumerate(index.packages):
            if (project := str(canonicalize_name(item))) in claimed:
                found.append(
                    Clash(
                        ("indexes", name, "packages", place),
                        f"package {project} is also claimed by index {claimed[project]}",
                        "let one index have it; a package comes from exactly one place",
                    )
                )
            claimed.setdefault(project, name)
    return found + (_extension_clashes(ours) if isinstance(ours, StackFile) else [])


def _extension_clashes(stack: StackFile) -> list[Clash]:
    """Extensions named twice, outside every source, or from an sdist that nothing asks for."""
    found: list[Clash] = []
    seen: dict[str, int] = {}
    wanted = {str(canonicalize_name(name)) for name in stack.from_source}
    waiting = {
        str(canonicalize_name(name)): key
        for key, index in stack.indexes.items()
        if index.fallback
        for name in index.packages
    }
    for place, extension in enumerate(stack.extensions):
        project = str(canonicalize_name(extension.name))
        if project in seen:
            problem = f"extension {project} is also extensions[{seen[project]}]"
            found.append(Clash(("extensions", place, "name"), problem, "keep one of the two"))
        seen.setdefault(project, place)
        inside = [f"{extension.path}/".startswith(f"{source.into.rstrip('/')}/") for source in stack.sources]
        if extension.path and not any(inside):
            problem = f"{extension.path} is in no source of the stack"
            found.append(Clash(("extensions", place, "path"), problem, "name a folder below a source's `into`"))
        if project in waiting and extension.path:
            problem = f"extension {project} has `path`, and index {waiting[project]} its wheels"
            found.append(Clash(("extensions", place, "path"), problem, "give it `git`, or nothing for its sdist"))
        if not extension.path and not extension.git and project not in wanted | waiting.keys():
            problem = f"extension {project} has neither `path` nor `git`, and is not in `from-source`"
            fix = f"give one of them, or list {project} in `packages` and in `from-source` to compile its sdist"
            found.append(Clash(("extensions", place, "name"), problem, fix))
    for project in sorted(waiting.keys() - seen.keys()):
        problem = f"index {waiting[project]} has `fallback`, and no extension is called {project}"
        fix = f"say under `extensions` how {project} is compiled, or leave `fallback` out"
        found.append(Clash(("indexes", waiting[project], "fallback"), problem, fix))
    return found


def _joined(one: Toolchain | None, other: Toolchain | None) -> Toolchain | None:
    """A family's toolchain with what a stack adds to it."""
    if one is None or other is None:
        return one or other
    return Toolchain.model_construct(
        packages=tuple(dict.fromkeys((*one.packages, *other.packages))),
        system=tuple(dict.fromkeys((*one.system, *other.system))),
        cuda_home=other.cuda_home or one.cuda_home,
    )


def merge(
    name: str, stack: StackFile, family: Family, files_digest: str = "", overlays: dict[str, str] | None = None
) -> Stack:
    """A stack file and its family as one Stack. Raises Clash, a ValueError, where the two speak of one thing."""
    if found := clashes(stack, family, stack.family):
        raise found[0]
    values: dict[str, Any] = {key: getattr(stack, key) for key in StackFile.model_fields}
    for key in ("packages", "from_source", "system", "libraries", "smoke"):
        values[key] = tuple(dict.fromkeys((*getattr(family, key), *getattr(stack, key))))
    for key in ("indexes", "env"):
        values[key] = {**getattr(family, key), **getattr(stack, key)}
    for key in ("base", "python", "interpreter", "cuda", "torch"):
        values[key] = getattr(family, key)
    values["toolchain"] = _joined(family.toolchain, stack.toolchain)
    return Stack.model_construct(name=name, files_digest=files_digest, overlays=overlays or {}, **values)
