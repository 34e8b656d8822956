"""Locking weights: where each file is found, and its hash where somebody has told it."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Literal

from builder.errors import InputError, Unreachable
from builder.files import sha256_text
from builder.lock.model import Artifact, Kind, StackLock, Unresolved
from builder.net.huggingface import address
from builder.net.session import Session
from builder.origin import FILE_NAME_PATTERN, Origin
from builder.spec.extension import Download
from builder.spec.model import Stack
from builder.spec.parts import Weight


def locked(
    stack: Stack, session: Session, old: StackLock | None = None, *, partly: bool = False
) -> tuple[tuple[Artifact, ...], tuple[Artifact, ...], tuple[Unresolved, ...]]:
    """The archives to fetch, and one file per weight that goes into the image, in the stack's order.

    The archives are the zip files that weights are in, then what the extensions ask for as `downloads`.
    old: hashes that an earlier fetch recorded are taken from it. partly: a weight whose server cannot be reached is
    given back as unresolved. Raises InputError for an address that names no file, and what Session raises where a size
    cannot be asked.
    """
    recorded = {item.origin: item for item in ((*old.archives, *old.weights) if old else ()) if item.seen}
    archives: dict[Origin, Artifact] = {}
    files: list[Artifact] = []
    unresolved: list[Unresolved] = []
    wanted: list[Weight | Download] = [*stack.baked]
    wanted += [one for extension in stack.extensions for one in extension.downloads]
    for weight in wanted:
        kind: Literal["archive", "weight"] = "archive" if isinstance(weight, Download) or weight.member else "weight"
        origin = _origin(weight)
        found = recorded.get(origin) if not weight.sha256 else None
        if found is None or found.kind != kind:
            try:
                found = _fetched(weight, kind, session)
            except Unreachable:
                if not partly:
                    raise
                sha256 = weight.sha256 or ""
                unresolved.append(Unresolved(kind=kind, name=weight.fetched_name, sha256=sha256, origin=origin))
                continue
        if isinstance(weight, Download):
            archives.setdefault(origin, found)
            continue
        if weight.member:
            archive = archives.setdefault(origin, found)
            found = _member(weight, archive, recorded)
        files.append(found)
    return tuple(archives.values()), tuple(files), tuple(unresolved)


def named(item: Artifact, sha256: str, *, size: int, seen: str) -> Artifact:
    """A pending file with the hash that was seen, under the name that files of known hash have."""
    filename = f"{sha256[:16]}-{item.project}"
    return replace(item, filename=filename, size=size, sha256=sha256, version=sha256[:16], seen=seen)


def _origin(weight: Weight | Download) -> Origin:
    """Where a weight that goes into the image is found; spec asks for an address of each."""
    assert weight.origin is not None  # noqa: S101 - only mounted ones have none
    return weight.origin


def _fetched(weight: Weight | Download, kind: Kind, session: Session) -> Artifact:
    name, origin = weight.fetched_name, _origin(weight)
    if not re.fullmatch(FILE_NAME_PATTERN, name):
        raise InputError(
            "the address of a weight does not end in a file name", where=str(origin), fix="use one that does"
        )
    size = weight.size
    return Artifact(
        kind=kind,
        size=session.size_of(address(origin)) if size is None else size,
        origin=origin,
        **_naming(name, weight.sha256 or "", str(origin)),
    )


def _member(weight: Weight, archive: Artifact, recorded: dict[Origin, Artifact]) -> Artifact:
    """The file inside an archive. Its size is not known before the archive is here: 0 until then."""
    assert weight.member is not None  # noqa: S101 - asked by the caller
    origin = Origin("member", archive.filename, path=weight.member.path)
    sha256 = weight.member.sha256 or ""
    if not sha256 and origin in recorded:
        return recorded[origin]
    name = weight.member.path.rpartition("/")[2]
    if not re.fullmatch(FILE_NAME_PATTERN, name):
        raise InputError(f"{weight.member.path!r} does not end in a plain file name", where=str(weight.origin))
    return Artifact(kind="weight", size=0, origin=origin, **_naming(name, sha256, f"{weight.origin}!{origin}"))


def _naming(name: str, sha256: str, where: str) -> dict[str, str]:
    """File name, project and version: by the hash, or while that is pending by the place."""
    first = sha256[:16] or f"pending-{sha256_text(where)[:16]}"
    return {"filename": f"{first}-{name}", "sha256": sha256, "project": name, "version": first}
