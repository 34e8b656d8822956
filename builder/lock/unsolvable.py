"""Why a resolution failed, and what is nearest to what was asked for."""

from __future__ import annotations

import re
from collections.abc import Mapping

from packaging.requirements import Requirement
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from builder.errors import InputError
from builder.lock.routes import Routes
from builder.net.index import Link, default_index, links
from builder.net.session import Session
from builder.settings import Settings
from builder.spec.model import Stack


def unsolvable(said: str, stack: Stack, routes: Routes, settings: Settings) -> InputError:
    """The reason a resolution failed, and the versions nearest to a pin that the default index does not have."""
    why = re.sub(r"^.*?No solution found[^:]*: ?", "", said)
    if absent := re.search(r"(\S+) was not found in the package registry", said):
        if (index := routes.of.get(absent[1])) in routes.unreached:
            problem = f"nothing is publicly known of {absent[1]}, and its index {index} cannot be reached"
            return InputError(problem, fix="lock where it can be reached, or name a mirror of it")
        problem = f"{absent[1]} is not on the index it may come from"
        fix = "correct the name, or list the package under the one of `indexes` that has it"
        return InputError(problem, why=why[:800], fix=fix)
    routed = {canonicalize_name(name) for index in stack.indexes.values() for name in index.packages}
    for requirement in map(Requirement, stack.packages):
        pin = next((spec.version for spec in requirement.specifier if spec.operator == "=="), "")
        if not pin or pin.endswith(".*") or canonicalize_name(requirement.name) in routed:
            continue
        with Session(settings) as session:
            there = _versions(links(session, default_index(settings), requirement.name), requirement.name)
        if there and Version(pin) not in there:
            below = [str(version) for version in there if version < Version(pin)][-1:]
            above = [str(version) for version in there if version > Version(pin)][:1]
            problem = f"{requirement.name} {pin} is not on the default index"
            fix = f"pin {' or '.join([*below, *above])} (the nearest that exist)"
            return InputError(problem, why=why[:800], fix=fix)
    fix = "loosen one of the packages named"
    if "has no usable wheels" in said:
        fix = f"choose versions with wheels for Python {stack.python} on {stack.platform}, or name it in `from-source`"
    return InputError("the requirements cannot be met together", why=why[:1500], fix=fix)


def _versions(files: Mapping[str, Link], project: str) -> list[Version]:
    """The versions of a project that have a wheel and are not withdrawn, oldest first."""
    found = set()
    for link in files.values():
        try:
            name, version, *_ = parse_wheel_filename(link.filename)
        except (InvalidWheelFilename, InvalidVersion):
            continue
        if name == canonicalize_name(project) and not link.yanked:
            found.add(version)
    return sorted(found)
