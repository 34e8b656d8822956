"""Which files differ between two images, read from their flattened file systems; works with every image store."""

from __future__ import annotations

import hashlib
import re
import tarfile
from collections.abc import Iterator
from typing import NamedTuple

from builder.engine.client import Engine
from builder.errors import JobError

_KINDS = {tarfile.REGTYPE: "file", tarfile.DIRTYPE: "folder", tarfile.SYMTYPE: "link", tarfile.LNKTYPE: "hard link"}


# What the engine itself puts into every container it creates; `etc` gets a new time by it.
_ENGINES = re.compile(r"(\.dockerenv|dev(/.*)?|proc|sys|etc/?|etc/(hostname|hosts|resolv\.conf|mtab))$")


class Difference(NamedTuple):
    """One difference: where, in which respect (presence, kind, mode, owner, time, link or bytes), and both values."""

    path: str
    what: str
    first: str
    second: str


class _Entry(NamedTuple):
    kind: str
    mode: str
    owner: str
    time: str
    link: str
    bytes: str


def differences(engine: Engine, first: str, second: str) -> Iterator[Difference]:
    """Every difference between the files of two images, by path."""
    one, two = _listing(engine, first), _listing(engine, second)
    for path in sorted(one.keys() | two.keys()):
        left, right = one.get(path), two.get(path)
        if left is None or right is None:
            yield Difference(
                path, "presence", "absent" if left is None else "there", "absent" if right is None else "there"
            )
            continue
        for what, before, after in zip(_Entry._fields, left, right, strict=True):
            if before != after:
                yield Difference(path, what, before, after)


def _listing(engine: Engine, image: str) -> dict[str, _Entry]:
    """Path -> what is there, from the export of a container that is never started."""
    try:
        with (
            engine.created(image) as container,
            engine.exported(container) as stream,
            tarfile.open(fileobj=stream, mode="r|") as tar,
        ):
            return {member.name: _entry(tar, member) for member in tar if not _ENGINES.match(member.name)}
    except tarfile.TarError as error:
        raise JobError(f"the engine could not export {image}", why=str(error), fix="check the engine's log") from None


def _entry(tar: tarfile.TarFile, member: tarfile.TarInfo) -> _Entry:
    digest = hashlib.sha256()
    stream = tar.extractfile(member) if member.isfile() else None
    while stream and (chunk := stream.read(1 << 20)):
        digest.update(chunk)
    return _Entry(
        kind=_KINDS.get(member.type, "special"),
        mode=oct(member.mode),
        owner=f"{member.uid}:{member.gid}",
        time=str(int(member.mtime)),
        link=member.linkname,
        bytes=f"{member.size} bytes, sha256 {digest.hexdigest()[:12]}" if member.isfile() else "",
    )
