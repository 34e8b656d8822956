"""What a target is held against: the smoke tests to run, and what a stack and its lock say it should hold."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from builder.errors import InputError
from builder.smoke.brief import Compiled, Expected
from builder.spec.files import own_checks

if TYPE_CHECKING:
    from builder.lock.model import StackLock
    from builder.spec.model import Stack
from builder.spec.extension import Extension

CHECKS = Path(__file__).resolve().parent / "checks"


@dataclass(frozen=True, kw_only=True)
class Subject:
    """stack: its name, "" for none. checks: names of smoke tests. expected: None without a stack. lock: its digest."""

    stack: str
    checks: tuple[str, ...]
    expected: Expected | None
    lock: str

    @property
    def files(self) -> list[Path]:
        """The files of the smoke tests."""
        return [CHECKS / f"{name}.py" for name in self.checks]


def known_checks() -> list[str]:
    """The names of all smoke tests."""
    return sorted(path.stem for path in CHECKS.glob("[a-z]*.py"))


def of_stack(stack: Stack, lock: StackLock, checks: Iterable[str] = ()) -> Subject:
    """A stack with its own smoke tests, or with those given. Raises InputError for a test nobody knows, or none."""
    where, given = f"stacks/{stack.name}/stack.yaml", tuple(checks)
    expected = _expected(stack, lock)
    own = (("imports", expected.imported), ("own", expected.own))
    every = (*stack.smoke, *(name for name, there in own if there))
    if not given and not every:
        raise InputError(
            f"stack {stack.name} names no smoke test",
            where=where,
            fix=f"list some under `smoke`: {', '.join(known_checks())}",
        )
    return Subject(
        stack=stack.name,
        checks=_known(given) if given else _known(every, where),
        expected=expected,
        lock=lock.digest,
    )


def of_checks(checks: Iterable[str]) -> Subject:
    """Smoke tests alone; what they compare with a stack they skip. Raises InputError for a test nobody knows."""
    return Subject(stack="", checks=_known(checks), expected=None, lock="")


def _known(names: Iterable[str], where: str = "") -> tuple[str, ...]:
    known, asked = known_checks(), tuple(dict.fromkeys(names))
    for name in asked:
        if name not in known:
            raise InputError(f"no smoke test is called {name}", where=where, fix=f"use one of: {', '.join(known)}")
    return asked


def _expected(stack: Stack, lock: StackLock) -> Expected:
    # built: extensions of a path or git source are in no index, and what an sdist says is what its wheel does
    packages = [*(one for one in lock.wheels if one.kind in ("wheel", "sdist")), *lock.built]
    pins = {str(canonicalize_name(one.project)): one.version for one in packages}
    named = [str(canonicalize_name(Requirement(one).name)) for one in stack.packages]
    named += [one.name for one in stack.own_projects]
    return Expected(
        name=stack.name,
        python=stack.python,
        interpreter=stack.interpreter,
        site_packages=stack.site_packages,
        libraries=stack.libraries,
        gpus=stack.gpus,
        cuda=stack.cuda,
        pins=pins,
        extensions=tuple(_compiled(one) for one in stack.extensions),
        mounted=tuple(posixpath.join(one.into, one.filename) for one in stack.mounted),
        imports=stack.imports,
        packages=tuple(dict.fromkeys(name for name in named if name in pins)),
        scripts=tuple(script for one in stack.own_projects for script in one.scripts),
        own=own_checks(stack.folder),
    )


def _compiled(one: Extension) -> Compiled:
    """What an image should hold of an extension."""
    folder = posixpath.normpath(f"{one.path}/{one.package_dir}") if one.install == "editable" else ""
    return Compiled(name=one.name, imports=one.imports, modules=one.compiled, cuda=one.cuda, folder=folder)
