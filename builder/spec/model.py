"""What a stack and a family say, as frozen typed values. No IO here."""

from __future__ import annotations

from functools import cache
from pathlib import PurePosixPath
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from pydantic import Field

from builder.spec.extension import Extension, Toolchain
from builder.spec.named import Named
from builder.spec.parts import Base, Frozen, Index, OwnFiles, Source, Weight, keys_like
from builder.spec.secrets import secret
from builder.spec.text import (
    ENV_PATTERN,
    FINDING_PATTERN,
    NAME_PATTERN,
    AbsolutePath,
    Capability,
    CheckName,
    CudaVersion,
    EnvName,
    FindingName,
    InsidePath,
    Name,
    PackageName,
    PackageRequirement,
    PlainText,
    PythonVersion,
    Reason,
    SystemPackage,
)


class _Shared(Frozen):
    """Keys that a family and a stack have in common; a stack's add to its family's."""

    packages: tuple[PackageRequirement, ...] = Field(default=(), description="Python requirements (PEP 508)")
    from_source: tuple[PackageName, ...] = Field(
        default=(), alias="from-source", description="packages that may be locked as an sdist"
    )
    indexes: dict[Name, Index] = Field(default_factory=dict, json_schema_extra=keys_like(NAME_PATTERN))
    system: tuple[SystemPackage, ...] = Field(default=(), description="system packages, resolved inside the base")
    libraries: tuple[InsidePath, ...] = Field(
        default=(), description="folders of site-packages put on the loader's path, e.g. nvidia/cudnn/lib"
    )
    env: dict[EnvName, PlainText] = Field(default_factory=dict, json_schema_extra=keys_like(ENV_PATTERN))
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
        json_schema_extra=keys_like(FINDING_PATTERN),
    )
    files: tuple[OwnFiles, ...] = Field(default=(), description="folders of files/ put into the image")
    entrypoint: tuple[PlainText, ...] = Field(default=(), description="the program a container runs, and its arguments")
    workdir: AbsolutePath | None = Field(default=None, description="the folder a container starts in")


class Stack(StackFile, Named):
    """A stack with its family's values merged in, under its name.

    files_digest: what its own files are. overlays: the same of an extension's `files`, by that folder's name.
    """

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


@cache
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
        if name == "default":
            found.append(Clash(("indexes", name), "a lock calls the index of this machine `default`", "rename it"))
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
    found += [
        Clash(("env", name), f"{name} is a secret by its name", "leave it out; who runs the image gives it")
        for name, value in ours.env.items()
        if value and secret(name)
    ]
    return found + (_extension_clashes(ours) + _place_clashes(ours) if isinstance(ours, StackFile) else [])


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


def _place_clashes(stack: StackFile) -> list[Clash]:
    """Sources or weights that would lie at one place, and folders below what is a weight's file."""
    found: list[Clash] = []
    folders = {("sources", place, "into"): part.into for place, part in enumerate(stack.sources)}
    folders |= {("files", place, "into"): part.into for place, part in enumerate(stack.files)}
    folders |= {("weights", place, "into"): part.into for place, part in enumerate(stack.weights)}
    taken = {f"{part.into.rstrip('/')}/{part.filename}": place for place, part in reversed([*enumerate(stack.weights)])}
    for place, weight in enumerate(stack.weights):
        path = f"{weight.into.rstrip('/')}/{weight.filename}"
        if taken[path] != place:
            problem = f"{path} is also the file of weights[{taken[path]}]"
            found.append(Clash(("weights", place), problem, "give one of them another `into` or `name`"))
    for keys, folder in folders.items():
        above = [folder.rstrip("/"), *(str(part) for part in PurePosixPath(folder).parents)]
        if hit := next((path for path in above if path in taken), None):
            problem = f"{folder} is, or lies below, the file of weights[{taken[hit]}]"
            found.append(Clash(keys, problem, "give one of them another `into` or `name`"))
    sources: dict[str, int] = {}
    for place, source in enumerate(stack.sources):
        if (first := sources.setdefault(source.into.rstrip("/"), place)) != place:
            problem = f"{source.into} is also the folder of sources[{first}]"
            found.append(Clash(("sources", place, "into"), problem, "give each source a folder of its own"))
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
