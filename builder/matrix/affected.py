"""Which stacks a change touches, by the files that changed: the stack's own, its family's, or those of the program."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from builder.settings.program import PROGRAM
from builder.spec import Loaded
from builder.spec.model import Stack
from builder.spec.service import Service

_CHECKS = PROGRAM / "builder" / "smoke" / "checks"
# Rooms that have no say in what an image is, or in what its smoke tests find.
_BESIDE = {
    "audit",
    "bundle",
    "doctor",
    "failures",
    "many",
    "matrix",
    "new",
    "prune",
    "publish",
    "registry",
    "report",
    "sbom",
    "verify",
    "help.txt",
}
_PROGRAM = {"requirements.lock", "pyproject.toml", "Makefile"}
_EVERY = {"imports", "own"}  # smoke tests that every stack may have without naming them


def why(one: Loaded, files: Iterable[Path]) -> list[str]:
    """The changed files that touch a stack or service, as they are shown."""
    return sorted(_shown(path) for path in files if _touches(one, path))


def _touches(one: Loaded, path: Path) -> bool:
    if path.is_relative_to(one.folder):
        return True
    if isinstance(one, Stack) and one.read_from.family and path == one.read_from.family[0]:
        return True
    return path.is_relative_to(PROGRAM) and _program(one, PurePosixPath(path.relative_to(PROGRAM).as_posix()))


def _program(one: Loaded, path: PurePosixPath) -> bool:
    """Whether a file of the program has a say in a stack."""
    top, *rest = path.parts
    if top == "templates":
        return rest[:1] not in (["ci"], ["report"])
    if top == "tools" or (top in _PROGRAM and not rest):
        return True
    if top != "builder" or not rest or rest[0] in _BESIDE:
        return False
    if rest[:2] == ["smoke", "checks"] and len(rest) > 2:
        return _judged(one, rest[2], path.stem)
    if rest[:2] == ["smoke", "probes"] and len(rest) == 3:
        return _probed(one, path.stem)
    return True


def _judged(one: Loaded, name: str, stem: str) -> bool:
    """Whether a changed file of smoke/checks judges a stack."""
    if isinstance(one, Service):
        return name == "services" or stem.startswith("_")
    return name != "services" and (stem.startswith("_") or stem in _EVERY or stem in one.smoke)


def _probed(one: Loaded, probe: str) -> bool:
    """Whether a changed probe runs in a stack: one that no check names is what all of them rest on."""
    if isinstance(one, Service):
        return False
    users = {path.stem for path in _CHECKS.glob("[a-z]*.py") if _asks(path, probe)}
    return not users or bool(users & ({*one.smoke} | _EVERY))


def _asks(path: Path, probe: str) -> bool:
    return bool(re.search(rf'\bprobe\(\s*["\']{re.escape(probe)}["\']', path.read_text(encoding="utf-8")))


def _shown(path: Path) -> str:
    try:
        return str(path.relative_to(PROGRAM))
    except ValueError:
        return str(path)
