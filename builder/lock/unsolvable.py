"""Why a resolution failed, and what is nearest to what was asked for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from packaging.requirements import Requirement
from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import InvalidVersion, Version

from builder.errors import InputError, InputErrors, JobError
from builder.lock.routes import Routes
from builder.net.index import Link, default_index, links
from builder.net.session import Session
from builder.settings import Settings
from builder.spec.model import Stack


def unsolvable(
    said: str, stack: Stack, routes: Routes, settings: Settings, lacking: Mapping[str, str] | None = None
) -> InputError:
    """Why a resolution failed: every pin that the default index does not have, with the versions nearest to it; else
    uv's own reasons. lacking: projects of which the index has an sdist alone, so that all of them are named at once."""
    why = re.sub(r"^.*?No solution found[^:]*: ?", "", said)
    if absent := re.search(r"(\S+) was not found in the package registry", said):
        if (index := routes.of.get(absent[1])) in routes.unreached:
            problem = f"nothing is publicly known of {absent[1]}, and its index {index} cannot be reached"
            return InputError(problem, fix="lock where it can be reached, or name a mirror of it")
        problem = f"{absent[1]} is not on the index it may come from"
        fix = "correct the name, or list the package under the one of `indexes` that has it"
        return InputError(problem, why=why[:800], fix=fix)
    if gone := list(_gone(stack, settings, why)):
        return gone[0] if len(gone) == 1 else InputErrors(gone)
    fix = "loosen one of the packages named"
    if "has no usable wheels" in said:
        fix = f"choose versions with wheels for Python {stack.python} on {stack.platform}, or name it in `from-source`"
    apart = InputError("the requirements cannot be met together", why=why[:1500], fix=fix)
    return InputErrors([apart, without_wheels(lacking, stack)]) if lacking else apart


def without_wheels(lacking: Mapping[str, str], stack: Stack) -> InputError:
    """That the index has sdists alone of these projects: all of them, in one line for the stack file."""
    named = [f"{name}=={version}" if version else name for name, version in lacking.items()]
    listed = f"`from-source: [{', '.join(lacking)}]`"
    if len(named) == 1:
        problem = "the requirements cannot be met together"
        why = f"{named[0]} has no usable wheels, and an sdist"
        fix = f"choose versions with wheels for Python {stack.python} on {stack.platform}, or name it in `from-source`"
        return InputError(problem, why=why, fix=fix)
    tools = "" if stack.toolchain else " and a `toolchain` (docs/extensions.md), as there is none yet"
    problem = f"{len(named)} packages have no wheel for Python {stack.python} on {stack.platform}, and an sdist"
    return InputError(problem, why=", ".join(named), fix=f"add {listed}{tools}, or choose versions with wheels")


def _gone(stack: Stack, settings: Settings, why: str) -> Iterator[InputError]:
    """Every pin to a version that the default index has no file of."""
    routed = {canonicalize_name(name) for index in stack.indexes.values() for name in index.packages}
    for requirement in map(Requirement, (*stack.packages, *stack.overrides)):
        pin = next((spec.version for spec in requirement.specifier if spec.operator == "=="), "")
        if not pin or pin.endswith(".*") or canonicalize_name(requirement.name) in routed:
            continue
        try:
            with Session(settings) as session:
                there = _versions(links(session, default_index(settings), requirement.name), requirement.name)
        except JobError:  # it answers that there is no such page, which uv says as well
            continue
        if there and Version(pin) not in there:
            below = [str(version) for version in there if version < Version(pin)][-1:]
            above = [str(version) for version in there if version > Version(pin)][:1]
            problem = f"{requirement.name} {pin} is not on the default index"
            fix = f"pin {' or '.join([*below, *above])} (the nearest that exist)"
            yield InputError(problem, why=why[:800], fix=fix)


def _versions(files: Mapping[str, Link], project: str) -> list[Version]:
    """The versions of a project that have a wheel or an sdist and are not withdrawn, oldest first."""
    found = set()
    for link in files.values():
        try:
            wheel = link.filename.endswith(".whl")
            name, version, *_ = parse_wheel_filename(link.filename) if wheel else parse_sdist_filename(link.filename)
        except (InvalidWheelFilename, InvalidSdistFilename, InvalidVersion):
            continue
        if name == canonicalize_name(project) and not link.yanked:
            found.add(version)
    return sorted(found)
