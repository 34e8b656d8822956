"""A stack file and its family as one stack. No IO here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from builder.spec.clashes import clashes
from builder.spec.extension import Toolchain
from builder.spec.model import Family, Project, Stack, StackFile


def _joined(one: Toolchain | None, other: Toolchain | None) -> Toolchain | None:
    """A family's toolchain with what a stack adds to it."""
    if one is None or other is None:
        return one or other
    return Toolchain.model_construct(
        packages=tuple(dict.fromkeys((*one.packages, *other.packages))),
        system=tuple(dict.fromkeys((*one.system, *other.system))),
        cuda_home=other.cuda_home or one.cuda_home,
    )


def _overridden(packages: Sequence[str], stack: StackFile) -> tuple[str, ...]:
    """Requirements with the stack's overrides in the place of theirs, and without what it leaves out."""
    instead = {canonicalize_name(Requirement(item).name): item for item in stack.overrides}
    gone = {canonicalize_name(name) for name in stack.without}
    named = ((canonicalize_name(Requirement(item).name), item) for item in packages)
    return tuple(instead.get(project, item) for project, item in named if project not in gone)


def _asked(found: Sequence[Project]) -> tuple[str, ...]:
    """What the projects ask of indexes: their dependencies, but for those on each other."""
    own = {one.name for one in found}
    every = (item for one in found for item in one.dependencies)
    return tuple(dict.fromkeys(item for item in every if canonicalize_name(Requirement(item).name) not in own))


def merge(
    name: str,
    stack: StackFile,
    family: Family,
    files_digest: str = "",
    overlays: dict[str, str] | None = None,
    own: Sequence[Project] = (),
    keys: dict[str, str] | None = None,
) -> Stack:
    """A stack file and its family as one Stack. Raises Clash, a ValueError, where the two speak of one thing."""
    if found := clashes(stack, family, stack.family):
        raise found[0]
    values: dict[str, Any] = {key: getattr(stack, key) for key in StackFile.model_fields}
    for key in ("packages", "from_source", "system", "libraries", "smoke"):
        values[key] = tuple(dict.fromkeys((*getattr(family, key), *getattr(stack, key))))
    # Before the stack's own: where both speak of one package, both hold, and the stack's is what is shown of it.
    values["packages"] = tuple(dict.fromkeys((*_asked(own), *values["packages"])))
    if stack.overrides or stack.without:
        values["packages"] = _overridden(values["packages"], stack)
    for key in ("indexes", "env"):
        values[key] = {**getattr(family, key), **getattr(stack, key)}
    for key in ("base", "python", "interpreter", "cuda", "torch"):
        values[key] = getattr(family, key)
    builds = Toolchain(packages=tuple(item for one in own for item in one.builds)) if own else None
    values["toolchain"] = _joined(_joined(family.toolchain, stack.toolchain), builds)
    values |= {"files_digest": files_digest, "overlays": overlays or {}, "own_projects": tuple(own)}
    values["apt_keys"] = keys or {}
    return Stack.model_construct(name=name, **values)
