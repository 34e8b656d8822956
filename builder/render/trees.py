"""Source trees as plain tar archives: an sdist without its first folder, declared edits made, the same bytes always."""

from __future__ import annotations

import bz2
import errno
import gzip
import io
import lzma
import os
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from builder import zips
from builder.errors import InputError, SurroundingsError
from builder.files import sync_folder
from builder.spec.files import mode
from builder.spec.parts import Edit

_LARGEST = 16_000_000  # bytes of a file that is edited, and of what a header may bring
_MOST = 300_000  # members; the sources of the largest engines have some 100,000
# What is more than this many times its packed size, and large, is made to fill a disk.
_MAX_RATIO, _SMALL = 200, 1 << 30
_PACKED: dict[bytes, Callable[[Path], Any]] = {b"\x1f\x8b": gzip.open, b"BZ": bz2.open, b"\xfd7": lzma.open}
_FAULTS = (
    tarfile.TarError,
    zipfile.BadZipFile,
    EOFError,
    OSError,
    zlib.error,
    lzma.LZMAError,
    ValueError,
    RecursionError,
)


def write_tree(
    archive: Path | None,
    out: Path,
    edits: Sequence[Edit],
    *,
    sdist: bool = False,
    beside: Mapping[str, Path] | None = None,
) -> None:
    """Write the files of an archive, or of none, as a tar to out, put in place whole.

    sdist: the archive holds one folder, NAME-VERSION, which is left out. beside: further files by their path, each in
    the place of the archive's own of that path. Raises InputError for an archive that
    cannot be read or holds anything but plain files, folders and symbolic links (in an sdist: that stay inside), none
    of them behind a link, for one that unpacks to very much, for a file that an edit names and the archive lacks, and
    for an edit whose text is not there as often as it says; SurroundingsError for a full disk.
    """
    beside = beside or {}
    wanted: dict[str, list[Edit]] = {}
    for edit in edits:
        wanted.setdefault(edit.file, []).append(edit)
    out.parent.mkdir(parents=True, exist_ok=True)
    aside = out.with_name(f".{out.name}.new")  # one name: what a killed run left is written over
    try:
        try:
            with tarfile.open(aside, "w", format=tarfile.PAX_FORMAT) as target:
                links: set[str] = set()
                if archive:
                    with _opened(archive) as source:
                        for member in _bounded(source, archive.stat().st_size):
                            _copy(member, source, target, wanted, links, sdist=sdist, without=beside)
                for name, path in sorted(beside.items()):
                    _refuse_behind(name, links)
                    _add(name, path, target)
        except _FAULTS as error:
            if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise SurroundingsError("the disk is full", where=str(out.parent), fix="make room there") from None
            fix = "run `make fetch VERIFY=1`; an sdist has to be a .tar.gz or a .zip"
            raise InputError("the archive cannot be read", where=str(archive), why=str(error), fix=fix) from None
        if missing := [name for name, waiting in wanted.items() if waiting]:
            names = ", ".join(sorted(missing))
            fix = "correct `file` of the edit: the path below the source's folder"
            where = archive.name if archive else ""
            raise InputError(f"an edit is of {names}, which the source does not have", where=where, fix=fix)
        with aside.open("rb") as stream:
            os.fsync(stream.fileno())
        aside.replace(out)
    finally:
        aside.unlink(missing_ok=True)
    sync_folder(out.parent)


@contextmanager
def _opened(archive: Path) -> Iterator[tarfile.TarFile]:
    """The archive, unpacked as it is read; no header of it may bring more than can be kept in memory."""
    with archive.open("rb") as raw:
        start = raw.read(2)
    if start == b"PK":  # as an sdist was until PEP 527
        with zips.opened(archive) as packed, tempfile.TemporaryFile() as plain:
            _as_tar(packed, plain)
            plain.seek(0)
            with tarfile.open(archive, "r:", fileobj=plain) as source:
                yield source
        return
    unpack = _PACKED.get(start)
    with (
        unpack(archive) if unpack else archive.open("rb") as stream,
        tarfile.open(archive, "r:", fileobj=_Headers(stream)) as source,
    ):
        yield source


def _as_tar(packed: zipfile.ZipFile, out: IO[bytes]) -> None:
    """The members of an sdist's zip archive as a tar, in one folder, which those of old distutils lack.

    Raises BadZipFile for one that may not be taken out.
    """
    flat = any("/" not in info.filename for info in packed.infolist())
    with tarfile.open(fileobj=out, mode="w") as target:
        for info in packed.infolist()[:_MOST]:
            if info.is_dir():
                continue
            problem, why = zips.fault(packed, info)
            if problem:
                raise zipfile.BadZipFile(f"{info.filename[:200]!r} {problem} {why}")
            entry = tarfile.TarInfo(f"sdist/{info.filename}" if flat else info.filename)
            entry.size, entry.mode = info.file_size, info.external_attr >> 16 & 0o777 or 0o644
            with packed.open(info) as stream:
                target.addfile(entry, stream)


class _Headers(io.RawIOBase):
    """A stream of which no more than so many bytes are read at once."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream

    def read(self, size: int = -1, /) -> bytes:
        if not 0 <= size <= _LARGEST + tarfile.RECORDSIZE:
            raise tarfile.ReadError(f"a header is of {size} bytes")
        return self._stream.read(size)

    def seek(self, offset: int, whence: int = 0, /) -> int:
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()


def _bounded(source: tarfile.TarFile, packed: int) -> Iterator[tarfile.TarInfo]:
    """The members. Raises InputError where they are, or unpack to, very much more than the archive is large."""
    size = 0
    for number, member in enumerate(source, 1):
        size += member.size if member.isfile() else 0
        if number > _MOST or (size > _SMALL and size > _MAX_RATIO * packed):
            why = f"{number} members of {size} bytes, in {packed} bytes"
            fix = "do not use this archive"
            raise InputError("the archive unpacks to very much", where=str(source.name), why=why, fix=fix)
        yield member


def _refuse_behind(name: str, links: set[str]) -> None:
    """Raise InputError for what would be written through a link of the archive."""
    if link := next((name[:end] for end, char in enumerate(name) if char == "/" and name[:end] in links), ""):
        why = f"{link[:200]!r} is a link in it"
        raise InputError(f"{name[:200]!r} is in the archive", why=why, fix="do not use this archive")


def _copy(
    member: tarfile.TarInfo,
    source: tarfile.TarFile,
    target: tarfile.TarFile,
    wanted: dict[str, list[Edit]],
    links: set[str],
    *,
    sdist: bool,
    without: Container[str],
) -> None:
    parts = [part for part in member.name.split("/") if part not in ("", ".")]
    if why := _unsafe(member, parts, sdist=sdist):
        raise InputError(f"{member.name[:200]!r} is in the archive", why=why, fix="do not use this archive")
    if sdist:
        parts = parts[1:]
    if not parts:
        return
    name = "/".join(parts)
    _refuse_behind(name, links)
    (links.add if member.issym() else links.discard)(name)
    if name in without and not member.isdir():
        return
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = member.type, member.linkname
    entry.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
    data = b""
    if member.isfile():
        stream = source.extractfile(member)
        edits = wanted.get(name)
        if edits is None:
            entry.size = member.size
            target.addfile(entry, stream)
            return
        if not edits:
            raise InputError(f"{name}, which is edited, is in the archive twice", fix="do not use this archive")
        data = _edited(name, stream.read(_LARGEST + 1) if stream else b"", edits)
        wanted[name] = []
    entry.size = len(data)
    target.addfile(entry, io.BytesIO(data))


def _add(name: str, path: Path, target: tarfile.TarFile) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = path.stat().st_size, mode(path)
    with path.open("rb") as stream:
        target.addfile(entry, stream)


def _unsafe(member: tarfile.TarInfo, parts: Sequence[str], *, sdist: bool) -> str:
    """Why a member may not be unpacked, "" where it may. A repository may link to anywhere, an sdist not (PEP 721)."""
    if ".." in parts or member.name.startswith("/"):
        return "it climbs out of its folder"
    if "\0" in member.name + member.linkname:
        return "its name holds a NUL"
    if member.issparse():
        return "a sparse file"
    if member.issym() and sdist:
        return "a link that leads out of its folder" if _leads_out(parts[1:-1], member.linkname) else ""
    if member.isfile() or member.isdir() or member.issym():
        return ""
    return "a hard link" if member.islnk() else "neither a file, a folder nor a link"


def _leads_out(folder: Sequence[str], target: str) -> bool:
    """Whether a link in a folder may lead out: `..` behind a name, which may be a link itself, leads anywhere."""
    steps = [part for part in target.split("/") if part not in ("", ".")]
    upwards = next((place for place, step in enumerate(steps) if step != ".."), len(steps))
    return target.startswith("/") or ".." in steps[upwards:] or upwards > len(folder)


def _edited(name: str, data: bytes, edits: Sequence[Edit]) -> bytes:
    if len(data) > _LARGEST:
        raise InputError(f"{name} is too large to be edited", fix=f"edit files of at most {_LARGEST} bytes")
    for edit in edits:
        old = edit.old.encode()
        count = data.count(old)
        if count != edit.times:
            shown = next(iter(edit.old.strip().splitlines()), repr(edit.old))[:80]
            fix = "take the text from that commit's file"
            if count:
                fix = f"say `times: {count}` to change {'it' if count == 1 else 'them all'}"
            if count > edit.times == 1:
                fix = f"make `old` longer, so that it is one place, or {fix}"
            times = "once" if edit.times == 1 else f"{edit.times} times"
            raise InputError(f"the edit of {name} applies {count} times, not {times}", why=f"old: {shown}", fix=fix)
        data = data.replace(old, edit.new.encode())
    return data
