"""Python projects among a stack's own files: what the pyproject.toml of each says, and what its files are."""

from __future__ import annotations

from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from pydantic import BaseModel, ConfigDict, Field

from builder.errors import InputError
from builder.spec import tomldoc
from builder.spec.files import FILES, digest
from builder.spec.model import Project, StackFile
from builder.spec.text import PackageName, PackageRequirement
from builder.spec.yamldoc import Document, shown

PYPROJECT = "pyproject.toml"


class _Part(BaseModel):
    """A table of which only some keys matter here."""

    model_config = ConfigDict(extra="ignore", strict=True, defer_build=True)


class _About(_Part):
    name: PackageName
    dynamic: list[str] = []
    dependencies: list[PackageRequirement] = []
    scripts: dict[str, str] = {}


class _Build(_Part):
    # of a project that names no build system (PEP 517)
    requires: list[PackageRequirement] = ["setuptools>=61", "wheel"]


class _File(_Part):
    project: _About
    build_system: _Build = Field(default_factory=_Build, alias="build-system")


def projects(stack: StackFile, folder: Path, document: Document) -> tuple[Project, ...]:
    """The stack's own projects, as their files are now.

    Raises InputError where a folder has no pyproject.toml with a name and static dependencies (PEP 621), and where two
    things of a stack have one project's name.
    """
    if not stack.projects:
        return ()
    taken = {str(canonicalize_name(Requirement(item).name)): "`packages`" for item in stack.packages}
    taken |= {str(canonicalize_name(one.name)): "`extensions`" for one in stack.extensions}
    found = []
    for place, name in enumerate(stack.projects):
        where = document.where(("projects", place))
        one = _project(name, folder, where)
        if one.name in taken:
            problem = f"{one.name} is also in {taken[one.name]}"
            raise InputError(problem, where=where, fix="keep one of the two: a name is one project")
        taken[one.name] = "`projects`"
        found.append(one)
    return tuple(found)


def _project(name: str, folder: Path, where: str) -> Project:
    path = folder / FILES / name / PYPROJECT
    files = digest(folder, [name])
    if not path.is_file():
        fix = f"put a {PYPROJECT} with [project] there (PEP 621)"
        raise InputError(f"there is no {FILES}/{name}/{PYPROJECT}", where=where, fix=fix)
    fix = "write `name`, `version` and `dependencies` into [project], as PEP 621 has it"
    text, data = tomldoc.read(path, fix)
    said = tomldoc.held(path, text, data, _File, fix)
    if "dependencies" in said.project.dynamic:
        why = "they are resolved without running anything of the project"
        raise InputError("its dependencies are dynamic", where=shown(path), why=why, fix=fix)
    return Project(
        folder=name,
        name=str(canonicalize_name(said.project.name)),
        dependencies=tuple(said.project.dependencies),
        builds=tuple(said.build_system.requires),
        scripts=tuple(sorted(said.project.scripts)),
        digest=files,
    )
