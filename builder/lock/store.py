"""Reading and writing stacks/NAME/pylock.toml (PEP 751) and stacks/NAME/stack.lock, both TOML."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, get_args, get_type_hints

import tomli
import tomli_w
from packaging.pylock import Pylock, PylockValidationError

from builder.errors import InputError
from builder.files import sha256_text, write_atomic
from builder.lock.model import LOCK_VERSION, Artifact, Kind, LockedBase, LockedIndex, StackLock, Unresolved
from builder.origin import DEFAULT_INDEX, FILE_NAME_PATTERN, Origin

PYLOCK, STACK_LOCK = "pylock.toml", "stack.lock"
_WHEELHOUSE = "../../wheels"  # as seen from stacks/NAME, the layout that every checkout has
# A lock may come from anyone: its names become paths and words of a Dockerfile.
FILE_NAME = re.compile(FILE_NAME_PATTERN)
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+!%~=@:-]*")
_RELOCK = "run `make lock STACK={name}`"


def exists(folder: Path) -> bool:
    """Whether a stack's folder holds a lock."""
    return (folder / STACK_LOCK).exists()


def read(folder: Path) -> StackLock:
    """The lock in a stack's folder. Raises InputError where it is missing, damaged or of another version."""
    name = folder.name
    relock = _RELOCK.format(name=name)
    path = folder / STACK_LOCK
    if not path.exists():
        raise InputError(f"stack {name} has no lock yet", where=str(path), fix=relock)
    data = load(path, relock)
    if data.get("version") != LOCK_VERSION:
        problem = f"it is a lock of version {data.get('version')}, this program reads {LOCK_VERSION}"
        raise InputError(problem, where=str(path), fix=relock)
    pylock_path = folder / PYLOCK
    pylock = load(pylock_path, relock)
    if sha256_text(pylock_path.read_text()) != data.get("pylock"):
        why = f"{STACK_LOCK} was made with another {PYLOCK}; one of them was edited or not committed"
        raise InputError("the two lock files do not belong together", where=str(pylock_path), why=why, fix=relock)
    try:
        Pylock.from_dict(pylock)
        return _parse(data, pylock, sha256_text(path.read_text()))
    except (KeyError, TypeError, ValueError, AttributeError, PylockValidationError) as error:
        raise InputError("it is damaged", where=str(path), why=f"{type(error).__name__}: {error}", fix=relock) from None


def write(folder: Path, lock: StackLock) -> StackLock:
    """Write both files of a lock, pylock.toml first; returns the lock with its digest set."""
    pylock = pylock_text(lock)
    text = _lock_text(lock, sha256_text(pylock))
    write_atomic(folder / PYLOCK, pylock)
    write_atomic(folder / STACK_LOCK, text)
    return read(folder)


def pylock_text(lock: StackLock) -> str:
    """The PEP 751 text of a lock's Python packages; paths are relative to the stack's folder."""
    packages: list[dict[str, Any]] = []
    for item in lock.wheels:
        entry = {
            "name": item.filename,
            "path": f"{_WHEELHOUSE}/{item.filename}",
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


def load(path: Path, relock: str) -> dict[str, Any]:
    try:
        return tomli.loads(path.read_text())
    except FileNotFoundError:
        raise InputError("it is missing", where=str(path), fix=relock) from None
    except (tomli.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"it is not TOML: {error}", where=str(path), fix=relock) from None


def _parse(data: Mapping[str, Any], pylock: Mapping[str, Any], digest: str) -> StackLock:
    base = data["base"]
    return StackLock(
        stack=data["stack"],
        inputs=data["inputs"],
        epoch=int(data["epoch"]),
        python=data["python"],
        platform=data["platform"],
        indexes={name: LockedIndex(**value) for name, value in data["indexes"].items()},
        base=LockedBase(
            kind=base["kind"],
            reference=base["reference"],
            digest=base["digest"],
            distribution=base["distribution"],
            include=tuple(base["include"]),
            epoch=int(base["epoch"]),
            debs=artifacts("deb", data["base-debs"]),
            blobs=artifacts("blob", data.get("base-blobs", ())),
        ),
        wheels=tuple(_python_artifact(package, data["routes"]) for package in pylock["packages"]),
        debs=artifacts("deb", data["debs"]),
        tools=artifacts("tool", data["tools"]),
        sources=artifacts("source", data["sources"]),
        weights=artifacts("weight", data["weights"]),
        archives=artifacts("archive", data.get("archives", ())),
        toolchain=artifacts("wheel", data.get("toolchain", ())),
        toolchain_debs=artifacts("deb", data.get("toolchain-debs", ())),
        extension_sources=artifacts("source", data.get("extension-sources", ())),
        built=artifacts("built", data.get("built", ())),
        unresolved=tuple(_unresolved(row) for row in data.get("unresolved", ())),
        digest=digest,
    )


def artifacts(kind: Kind, rows: Iterable[Mapping[str, Any]]) -> tuple[Artifact, ...]:
    return tuple(
        _artifact(
            kind, row["file"], row, origin=Origin.parse(row["origin"]), project=row["name"], version=row["version"]
        )
        for row in rows
    )


def _artifact(
    kind: Kind, filename: str, row: Mapping[str, Any], *, origin: Origin, project: str, version: str
) -> Artifact:
    """One file of a lock. row: holds size and sha256. Raises ValueError for a value that is not what it should be."""
    if not FILE_NAME.fullmatch(filename):
        raise ValueError(f"{filename!r} is not a file name")
    if bad := next((word for word in (project, version) if not _WORD.fullmatch(word)), None):
        raise ValueError(f"{bad!r} is not a name or version")
    size, sha256 = row["size"], row["sha256"]
    pending = row.get("pending") is True and kind in ("weight", "archive") and sha256 == ""
    if not isinstance(size, int) or size < 0 or not (pending or re.fullmatch(r"[0-9a-f]{64}", sha256)):
        raise ValueError(f"the size or sha256 of {filename} is malformed")
    if kind == "built" and origin.scheme != "built":
        raise ValueError(f"{filename} is not under a key")
    if not isinstance(seen := row.get("seen", ""), str):
        raise ValueError(f"{filename} was seen at what is no address")
    return Artifact(
        kind=kind,
        filename=filename,
        size=size,
        sha256=sha256,
        origin=origin,
        project=project,
        version=version,
        seen=seen,
    )


def _unresolved(row: Mapping[str, Any]) -> Unresolved:
    """A part that could not be reached. Raises ValueError for a value that is not what it should be."""
    filename, version, sha256 = row.get("file", ""), row.get("version", ""), row.get("sha256", "")
    plain = (not filename or FILE_NAME.fullmatch(filename)) and (not version or _WORD.fullmatch(version))
    if row["kind"] not in get_args(get_type_hints(Unresolved)["kind"]) or not row["name"].isprintable() or not plain:
        raise ValueError(f"the unresolved {row['name']!r} is malformed")
    if sha256 and not re.fullmatch(r"[0-9a-f]{64}", sha256):
        raise ValueError(f"the sha256 of {row['name']} is malformed")
    origin = Origin.parse(row["origin"]) if row.get("origin") else None
    return Unresolved(
        kind=row["kind"], name=row["name"], version=version, filename=filename, sha256=sha256, origin=origin
    )


def _python_artifact(package: Mapping[str, Any], routes: Mapping[str, str]) -> Artifact:
    kind: Kind = "sdist" if "sdist" in package else "wheel"
    entry = package["sdist"] if kind == "sdist" else package["wheels"][0]
    project = package["name"]
    row = {"size": entry["size"], "sha256": entry["hashes"]["sha256"]}
    origin = Origin("index", routes.get(project, "default"))
    return _artifact(kind, entry["name"], row, origin=origin, project=project, version=package["version"])


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
