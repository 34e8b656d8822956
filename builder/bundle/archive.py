"""The archive itself: plain files one after the other, each under the one header that its name and size can have.

As the headers are fixed by the manifest, reading compares bytes: a link, a device, a sparse map, another owner, a PAX
override or a member out of place is a header that differs, whatever it says.
"""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Callable, Iterator
from typing import BinaryIO, Protocol

from builder.bundle.manifest import LIMIT, MANIFEST, Manifest, Member, parse
from builder.errors import InputError

BLOCK = tarfile.BLOCKSIZE
PIECE = 1 << 20
END = bytes(2 * BLOCK)

_FIX = "copy the bundle anew from where it was made; if it is the same there, have it made again"
_KINDS = {
    tarfile.LNKTYPE: "a hard link",
    tarfile.SYMTYPE: "a symbolic link",
    tarfile.CHRTYPE: "a character device",
    tarfile.BLKTYPE: "a block device",
    tarfile.DIRTYPE: "a folder",
    tarfile.FIFOTYPE: "a fifo",
    tarfile.GNUTYPE_SPARSE: "a sparse file",
    tarfile.GNUTYPE_LONGNAME: "a long name",
    tarfile.GNUTYPE_LONGLINK: "a long link",
    tarfile.XHDTYPE: "a PAX header",
    tarfile.XGLTYPE: "a global PAX header",
    tarfile.SOLARIS_XHDTYPE: "a PAX header",
}


class Bytes(Protocol):
    """Bytes of a bundle, in order."""

    def read(self, count: int, /) -> bytes:
        """Exactly count bytes, fewer only at the end."""
        ...


def header(name: str, size: int) -> bytes:
    """The header of a file: mode 644 (755 for a shell script), owner 0, date 0; PAX only for what ustar cannot hold."""
    info = tarfile.TarInfo(name)
    info.size = size
    info.mode = 0o755 if name.endswith(".sh") else 0o644
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "strict")


def padding(size: int) -> int:
    """Zero bytes after size bytes, up to the next block."""
    return -size % BLOCK


def write_member(member: Member, stream: BinaryIO, out: Callable[[bytes], None]) -> None:
    """Write one file, hashed on the way. Raises ValueError, naming what it is instead, for other bytes than stated."""
    out(header(member.name, member.size))
    digest, left = hashlib.sha256(), member.size
    while piece := stream.read(min(PIECE, left)) if left else b"":
        digest.update(piece)
        out(piece)
        left -= len(piece)
    if left or stream.read(1):
        raise ValueError(f"its size is not {member.size}")
    if digest.hexdigest() != member.sha256:
        raise ValueError(f"its sha256 is {digest.hexdigest()}, not {member.sha256}")
    out(bytes(padding(member.size)))


class Reader:
    """A bundle read once from front to back; every byte of it is accounted for.

    All raise InputError that names the member. where: the bundle, for messages.
    """

    def __init__(self, source: Bytes, where: str) -> None:
        self._source, self._where = source, where

    def manifest(self) -> Manifest:
        """The manifest, which is the first member."""
        block = self._source.read(BLOCK)
        info = self._info(block)
        if info is None or info.name != MANIFEST:
            raise self._refused(f"this is not a bundle: it does not begin with {MANIFEST}")
        if not 0 <= info.size <= LIMIT:
            raise self._refused(f"{MANIFEST} has {info.size} bytes", f"at most {LIMIT} are read")
        if block != header(MANIFEST, info.size):
            raise self._refused(f"{MANIFEST} is not a plain file", self._spoken(block))
        data = self._exactly(info.size, MANIFEST)
        self._pad(info.size, MANIFEST)
        return parse(data, self._where)

    def members(self, manifest: Manifest) -> Iterator[tuple[Member, Iterator[bytes]]]:
        """Each member and its pieces, which have to be taken before the next; the last piece comes when it is whole."""
        for member in manifest.members:
            expected = header(member.name, member.size)
            seen = self._source.read(len(expected))
            if seen != expected:
                raise self._other(seen, member)
            yield member, self._pieces(member)
            self._pad(member.size, member.name)
        if (seen := self._source.read(BLOCK)) != END[:BLOCK]:
            if len(seen) < BLOCK:
                raise self._refused("the bundle ends before its end mark")
            raise self._refused(f"the bundle holds {self._spoken(seen)}, which {MANIFEST} does not name")
        if self._source.read(BLOCK) != END[:BLOCK]:
            raise self._refused("the bundle ends before its end mark")
        if self._source.read(1):
            raise self._refused("the bundle goes on after its end mark")

    def _pieces(self, member: Member) -> Iterator[bytes]:
        digest, left = hashlib.sha256(), member.size
        while left:
            piece = self._exactly(min(PIECE, left), member.name)
            digest.update(piece)
            left -= len(piece)
            if left:
                yield piece
        if digest.hexdigest() != member.sha256:
            raise self._refused(f"{member.name} is damaged", f"its sha256 is {digest.hexdigest()}, not {member.sha256}")
        if member.size:
            yield piece

    def _exactly(self, count: int, name: str) -> bytes:
        data = self._source.read(count)
        if len(data) < count:
            raise self._refused(f"the bundle ends inside of {name}")
        return data

    def _pad(self, size: int, name: str) -> None:
        if self._exactly(padding(size), name).strip(b"\0"):
            raise self._refused(f"there is something behind the end of {name}")

    def _other(self, seen: bytes, member: Member) -> InputError:
        if len(seen) < BLOCK:
            return self._refused(f"the bundle ends before {member.name}")
        if seen[:BLOCK] == END[:BLOCK]:
            return self._refused(f"{member.name} is missing", f"{MANIFEST} names it")
        return self._refused(
            f"the bundle holds {self._spoken(seen)} where {member.name} belongs",
            f"{MANIFEST} says a plain file of {member.size} bytes",
        )

    def _info(self, block: bytes) -> tarfile.TarInfo | None:
        try:
            return tarfile.TarInfo.frombuf(block[:BLOCK], "utf-8", "backslashreplace")
        except (tarfile.HeaderError, ValueError):
            return None

    def _spoken(self, block: bytes) -> str:
        """A header in words, for a message."""
        info = self._info(block)
        if info is None:
            return "no tar header"
        kind = _KINDS.get(info.type, "a file" if info.isreg() else "an unknown kind of member")
        return f"{kind} {info.name[:200]!r} of {info.size} bytes"

    def _refused(self, problem: str, why: str = "") -> InputError:
        return InputError(problem, where=self._where, why=why, fix=_FIX)
