"""A stack file and its family as one stack. No IO here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from builder.spec.clashes import clashes
from builder.spec.extension import Toolchain
from builder.spec.model import Family, Stack, StackFile


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


def merge(
    name: str, stack: StackFile, family: Family, files_digest: str = "", overlays: dict[str, str] | None = None
) -> Stack:
    """A stack file and its family as one Stack. Raises Clash, a ValueError, where the two speak of one thing."""
    if found := clashes(stack, family, stack.family):
        raise found[0]
    values: dict[str, Any] = {key: getattr(stack, key) for key in StackFile.model_fields}
    for key in ("packages", "from_source", "system", "libraries", "smoke"):
        values[key] = tuple(dict.fromkeys((*getattr(family, key), *getattr(stack, key))))
    if stack.overrides or stack.without:
        values["packages"] = _overridden(values["packages"], stack)
    for key in ("indexes", "env"):
        values[key] = {**getattr(family, key), **getattr(stack, key)}
    for key in ("base", "python", "interpreter", "cuda", "torch"):
        values[key] = getattr(family, key)
    values["toolchain"] = _joined(family.toolchain, stack.toolchain)
    return Stack.model_construct(name=name, files_digest=files_digest, overlays=overlays or {}, **values)
