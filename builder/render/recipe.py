"""How each package without a wheel is compiled, and the key under which its wheel is kept. No IO here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from packaging.utils import canonicalize_name

from builder.errors import InputError
from builder.files import sha256_text
from builder.lock.model import Artifact, StackLock
from builder.render.base import base_has_python, base_key
from builder.spec.extension import Extension
from builder.spec.model import Project, Stack
from builder.spec.parts import Edit

# Raised when the compile stage would give another wheel from the same inputs.
_RECIPE = 1


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """One package to compile.

    project: its canonical name. source: the archive it is in, or the stack's own project that it is. root: where that
    is unpacked in the compile stage.
    folder: of its setup.py or pyproject.toml. inputs: all that shapes the wheel, JSON-ready; key: their sha256.
    extension: what the stack says of it, None for a plain sdist that merely has no wheel. downloads: further files by
    their path below root.
    """

    project: str
    source: Artifact | Project
    root: str
    folder: str
    edits: tuple[Edit, ...]
    extension: Extension | None
    inputs: dict[str, Any]
    downloads: Mapping[str, Artifact] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """64 hex digits: the same key stands for the same wheel."""
        return sha256_text(json.dumps(self.inputs, sort_keys=True))

    @property
    def editable(self) -> bool:
        """Whether its source serves where it is, and only what was compiled is added."""
        return self.extension is not None and self.extension.install == "editable"


def recipes(stack: Stack, lock: StackLock) -> tuple[Recipe, ...]:
    """The packages that a stack compiles: its extensions, then every other sdist of its lock.

    Raises InputError where the lock has no sdist for an extension, or the stack no toolchain.
    """
    sdists = {item.project: item for item in lock.wheels if item.kind == "sdist"}
    wheels = {item.project for item in lock.wheels if item.kind == "wheel"}
    own = iter(lock.extension_sources)
    found = []
    for extension in stack.extensions:
        project = str(canonicalize_name(extension.name))
        if project in wheels & stack.fallbacks:
            continue  # its index had a wheel
        if extension.path:
            place = stack.source_of(extension)
            source, root = stack.sources[place], stack.sources[place].into
            found.append(_recipe(stack, lock, project, lock.sources[place], root, extension, source.edits))
        elif extension.git:
            found.append(_recipe(stack, lock, project, next(own), f"/build/{project}", extension, extension.edits))
        elif project in sdists:
            item = sdists.pop(project)
            found.append(_recipe(stack, lock, project, item, f"/build/{project}", extension, extension.edits))
        else:
            problem = f"the lock has no sdist of the extension {project}"
            raise InputError(problem, fix=f"list {project} in `packages` and in `from-source` of {stack.name}")
    found += [_recipe(stack, lock, name, item, f"/build/{name}", None, ()) for name, item in sdists.items()]
    found += [_recipe(stack, lock, one.name, one, f"/build/{one.name}", None, ()) for one in stack.own_projects]
    if found and stack.toolchain is None:
        problem = f"{found[0].project} is to be compiled, and {stack.name} has no toolchain"
        raise InputError(problem, fix="give the family a `toolchain` with setuptools, wheel and a compiler")
    return tuple(found)


def _recipe(
    stack: Stack,
    lock: StackLock,
    project: str,
    source: Artifact | Project,
    root: str,
    extension: Extension | None,
    edits: tuple[Edit, ...],
) -> Recipe:
    folder = (extension.path or f"{root}/{extension.folder or ''}".rstrip("/")) if extension else root
    downloads = _downloads(stack, lock, extension) if extension else {}
    compilers = (*lock.toolchain, *lock.toolchain_debs, *(() if base_has_python(lock) else lock.debs))
    inputs = {
        "recipe": _RECIPE,
        "project": project,
        "source": source.digest if isinstance(source, Project) else source.sha256,
        "root": root,
        "folder": folder,
        "edits": [edit.document() for edit in edits],
        "env": dict(extension.env) if extension else {},
        "flags": extension.flags.model_dump(mode="json") if extension else {},
        "gpus": list(stack.gpus),
        "cuda-home": stack.toolchain.cuda_home if stack.toolchain else None,
        "python": [stack.python, stack.interpreter],
        "base": base_key(lock.base),
        "compilers": sorted(f"{item.project} {item.version} {item.sha256}" for item in compilers),
    }
    # Left out where there is none, so that the keys of older wheels hold.
    if extension and extension.files:
        inputs["files"] = stack.overlays[extension.files]
    if downloads:
        inputs["downloads"] = {place: item.sha256 for place, item in downloads.items()}
    return Recipe(
        project=project,
        source=source,
        root=root,
        folder=folder,
        edits=edits,
        extension=extension,
        inputs=inputs,
        downloads=downloads,
    )


def _downloads(stack: Stack, lock: StackLock, extension: Extension) -> dict[str, Artifact]:
    """The locked file of each download, by its path below the source's folder."""
    there = {item.origin: item for item in lock.archives}
    if lost := [one.url for one in extension.downloads if one.origin not in there]:
        problem = f"the lock has no {lost[0]}, which the extension {extension.name} asks for"
        raise InputError(problem, fix=f"run `make lock STACK={stack.name}`")
    return {one.place: there[one.origin] for one in extension.downloads}
