"""Reading and writing stacks/NAME/pylock.toml (PEP 751) and stacks/NAME/stack.lock, both TOML."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

import tomli_w
from packaging.pylock import Pylock, PylockValidationError
from packaging.utils import InvalidSdistFilename, InvalidWheelFilename, parse_sdist_filename, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from builder.errors import InputError
from builder.files import sha256_text
from builder.lock import together
from builder.lock.model import LOCK_VERSION, Artifact, StackLock, Unresolved
from builder.lock.pylock import WHEELHOUSE, Package, PylockFile, wheelhouse
from builder.lock.schema import LockFile, Row
from builder.lock.together import PYLOCK, STACK_LOCK, relock
from builder.origin import DEFAULT_INDEX
from builder.spec import tomldoc

__all__ = [
    "PYLOCK",
    "STACK_LOCK",
    "artifacts",
    "exists",
    "pylock_text",
    "quoted",
    "read",
    "require_own",
    "rows",
    "texts",
    "write",
]


def exists(folder: Path) -> bool:
    """Whether a stack's folder holds a lock."""
    return os.path.lexists(folder / STACK_LOCK)


def read(folder: Path) -> StackLock:
    """The lock in a stack's folder. Raises InputError where it is missing, damaged or of another version."""
    path, pylock_path = folder / STACK_LOCK, folder / PYLOCK
    text, data, python_text, pylock = together.pair(folder)
    found = tomldoc.held(path, text, data, LockFile, relock(folder))
    python = tomldoc.held(pylock_path, python_text, pylock, PylockFile, relock(folder))
    require_own(found.stack, path)
    _require_together(found, python, folder)
    if not all(_named_as_its_file(one) for one in python.packages):
        try:
            Pylock.from_dict(pylock)
        except PylockValidationError as error:
            why = str(error)
            raise InputError("it is no pylock.toml", where=str(pylock_path), why=why, fix=relock(folder)) from None
    return _lock(found, python, sha256_text(text))


def _named_as_its_file(package: Package) -> bool:
    """What PEP 751 asks of a package beyond our model: its name and version are those of its file."""
    return _named(package.name, package.version, (package.sdist or package.wheels[0]).name, package.sdist is not None)


@lru_cache(8192)  # stacks share most of their packages
def _named(name: str, version: str, file: str, sdist: bool) -> bool:
    try:
        found, of = parse_sdist_filename(file) if sdist else parse_wheel_filename(file)[:2]
        return found == name and of == Version(version)
    except (InvalidWheelFilename, InvalidSdistFilename, InvalidVersion):
        return False


def texts(folder: Path, lock: StackLock) -> dict[str, str]:
    """The two files of a lock that was read, by their names. Raises JobError where another run wrote them meanwhile."""
    text, _, python_text, _ = together.pair(folder)
    if sha256_text(text) != lock.digest:
        raise together.meanwhile(folder)
    return {PYLOCK: python_text, STACK_LOCK: text}


def require_own(stack: str, path: Path) -> None:
    """Raise InputError where a lock is of another stack than the one whose folder it is in."""
    if stack != path.parent.name:
        problem = f"it is the lock of {stack}, in the folder of {path.parent.name}"
        raise InputError(problem, where=str(path), fix=relock(path.parent))


def _require_together(lock: LockFile, pylock: PylockFile, folder: Path) -> None:
    """Raise InputError where one of the two files says what the other does not."""
    names = [package.name for package in pylock.packages]
    wanted = {one.name: lock.routes.get(one.name, "default") for one in pylock.packages}
    wrong = next((one.name for one in pylock.packages if one.index != _url(lock, wanted[one.name])), "")
    twice = next((name for name, count in Counter(names).items() if count > 1), "")
    stray = next((name for name in lock.routes if name not in wanted), "")
    why = (wrong and f"{wrong} comes from another index") or (twice and f"{twice} is there twice")
    why = why or (stray and f"{PYLOCK} has no {stray}, which has a route")
    if not why and pylock.requires_python != f"=={lock.python}.*":
        why = f"one is for Python {lock.python}, the other {pylock.requires_python}"
    if why:
        problem = "the two lock files say different things"
        raise InputError(problem, where=str(folder / PYLOCK), why=why, fix=relock(folder))


def _url(lock: LockFile, index: str) -> str | None:
    return None if index == "default" else lock.indexes[index].url


def write(folder: Path, lock: StackLock, *, instead_of: StackLock | None = None, home: Path | None = None) -> StackLock:
    """Write both files of a lock; returns it with its digest set.

    instead_of: the lock that it was made from. Raises JobError, with nothing written, where another run wrote one
    meanwhile. home: the folder of wheels/, if not two above.
    """
    pylock = pylock_text(lock, wheelhouse(folder, home) if home else WHEELHOUSE)
    text = _lock_text(lock, sha256_text(pylock))
    together.put(folder, pylock, text, instead_of=instead_of.digest if instead_of else "")
    return read(folder)


def pylock_text(lock: StackLock, place: str = WHEELHOUSE) -> str:
    """The PEP 751 text of a lock's Python packages; paths are relative to the stack's folder. place: of the wheels."""
    packages: list[dict[str, Any]] = []
    for item in lock.wheels:
        entry = {
            "name": item.filename,
            "path": f"{place}/{item.filename}",
            "size": item.size,
            "hashes": {"sha256": item.sha256},
        }
        package: dict[str, Any] = {"name": item.project, "version": item.version}
        if item.origin != DEFAULT_INDEX:
            package["index"] = lock.indexes[item.origin.place].url
        if item.kind == "sdist":
            package["sdist"] = entry
        else:
            package["wheels"] = [entry]
        packages.append(package)
    document: dict[str, Any] = {
        "lock-version": "1.0",
        "requires-python": f"=={lock.python}.*",
        "created-by": "modelstacks",
        "packages": packages,
    }
    # Whoever installs from this file alone would miss them.
    if left := [f"{item.name}=={item.version}" for item in lock.unresolved if item.kind == "wheel"]:
        document["tool"] = {"modelstacks": {"unresolved": left}}
    Pylock.from_dict(document)
    return tomli_w.dumps(document)


def _lock(found: LockFile, pylock: PylockFile, digest: str) -> StackLock:
    """As the rest of the program has it."""
    return StackLock(
        stack=found.stack,
        inputs=found.inputs,
        epoch=found.epoch,
        python=found.python,
        platform=found.platform,
        indexes=found.locked_indexes(),
        base=found.locked_base(),
        wheels=tuple(one.artifact(found.routes.get(one.name, "default")) for one in pylock.packages),
        debs=artifacts(found.debs),
        tools=artifacts(found.tools),
        sources=artifacts(found.sources),
        weights=artifacts(found.weights),
        archives=artifacts(found.archives),
        toolchain=artifacts(found.toolchain),
        toolchain_debs=artifacts(found.toolchain_debs),
        extension_sources=artifacts(found.extension_sources),
        built=artifacts(found.built),
        unresolved=tuple(one.part() for one in found.unresolved),
        digest=digest,
    )


def artifacts(rows: Iterable[Row]) -> tuple[Artifact, ...]:
    """The files of these rows."""
    return tuple(one.artifact for one in rows)


def _lock_text(lock: StackLock, pylock: str) -> str:
    """One artifact per line, so that a change of one file is a change of one line. pylock: its sha256."""
    base = lock.base
    later = (
        ("archives", lock.archives),
        ("base-blobs", base.blobs),
        ("toolchain", lock.toolchain),
        ("toolchain-debs", lock.toolchain_debs),
        ("extension-sources", lock.extension_sources),
        ("built", lock.built),
    )
    lines = [
        "# Made by `make lock`; not for editing. Files are named by what they are, so any mirror will do.",
        f"version = {LOCK_VERSION}",
        f"stack = {quoted(lock.stack)}",
        f"inputs = {quoted(lock.inputs)}",
        f"epoch = {lock.epoch}",
        f"python = {quoted(lock.python)}",
        f"platform = {quoted(lock.platform)}",
        f"pylock = {quoted(pylock)}",
        *rows("tools", lock.tools),
        *rows("debs", lock.debs),
        *rows("base-debs", base.debs),
        *rows("sources", lock.sources),
        *rows("weights", lock.weights),
        # Written only where there are any, so that older locks keep their bytes.
        *(line for key, items in later if items for line in rows(key, items)),
        *(_unresolved_rows(lock.unresolved) if lock.unresolved else []),
        "",
        "[base]",
        f"kind = {quoted(base.kind)}",
        f"reference = {quoted(base.reference)}",
        f"digest = {quoted(base.digest)}",
        f"distribution = {quoted(base.distribution)}",
        f"include = [{', '.join(quoted(item) for item in base.include)}]",
        f"epoch = {base.epoch}",
        "",
        "[indexes]",
        *(
            f"{name} = {{ url = {quoted(index.url)}, find_links = {str(index.find_links).lower()} }}"
            for name, index in sorted(lock.indexes.items())
        ),
        "",
        "[routes]",
        *(
            f"{quoted(item.project)} = {quoted(item.origin.place)}"
            for item in lock.wheels
            if item.origin != DEFAULT_INDEX
        ),
    ]
    return "\n".join(lines) + "\n"


def _unresolved_rows(items: Iterable[Unresolved]) -> list[str]:
    """One part per line; what nobody knows of it is left out."""
    lines = []
    for item in items:
        known = {
            "kind": item.kind,
            "name": item.name,
            "version": item.version,
            "file": item.filename,
            "sha256": item.sha256,
            "origin": str(item.origin or ""),
        }
        lines.append(f"    {{ {', '.join(f'{key} = {quoted(value)}' for key, value in known.items() if value)} }},")
    return ["unresolved = [", *lines, "]"]


def rows(key: str, items: Iterable[Artifact]) -> list[str]:
    rows = [
        f"    {{ name = {quoted(item.project)}, version = {quoted(item.version)}, file = {quoted(item.filename)}, "
        f"size = {item.size}, sha256 = {quoted(item.sha256)}, origin = {quoted(str(item.origin))}"
        + (", pending = true" if item.pending else "")
        + (f", seen = {quoted(item.seen)}" if item.seen else "")
        + " },"
        for item in items
    ]
    return [f"{key} = [", *rows, "]"] if rows else [f"{key} = []"]


def quoted(text: str) -> str:
    """A TOML basic string; JSON's escapes are a subset of TOML's."""
    return json.dumps(text)
