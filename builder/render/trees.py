"""Source trees as plain tar archives: an sdist without its first folder, declared edits made, the same bytes always."""

from __future__ import annotations

import errno
import io
import lzma
import os
import posixpath
import tarfile
import zlib
from collections.abc import Container, Mapping, Sequence
from pathlib import Path

from builder.errors import InputError, SurroundingsError
from builder.files import sync_folder
from builder.spec.files import mode
from builder.spec.parts import Edit

_LARGEST = 16_000_000  # bytes of a file that is edited


def write_tree(
    archive: Path, out: Path, edits: Sequence[Edit], *, sdist: bool = False, beside: Mapping[str, Path] | None = None
) -> None:
    """Write the files of an archive as a tar to out, put in place whole.

    sdist: the archive holds one folder, NAME-VERSION, which is left out. beside: further files by their path, each in
    the place of the archive's own of that path. Raises InputError for an archive that
    cannot be read or holds anything but plain files, folders and symbolic links (in an sdist: that stay inside), for
    a file that an edit names and the archive lacks, and for an edit whose text is not there as often as it says;
    SurroundingsError for a full disk.
    """
    beside = beside or {}
    wanted: dict[str, list[Edit]] = {}
    for edit in edits:
        wanted.setdefault(edit.file, []).append(edit)
    out.parent.mkdir(parents=True, exist_ok=True)
    aside = out.with_name(f".{out.name}.new")  # one name: what a killed run left is written over
    try:
        try:
            with tarfile.open(archive) as source, tarfile.open(aside, "w", format=tarfile.PAX_FORMAT) as target:
                for member in source:
                    _copy(member, source, target, wanted, sdist=sdist, without=beside)
                for name, path in sorted(beside.items()):
                    _add(name, path, target)
        except (tarfile.TarError, EOFError, OSError, zlib.error, lzma.LZMAError) as error:
            if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise SurroundingsError("the disk is full", where=str(out.parent), fix="make room there") from None
            fix = "run `make fetch VERIFY=1`; an sdist has to be a .tar.gz"
            raise InputError("the archive cannot be read", where=str(archive), why=str(error), fix=fix) from None
        if missing := [name for name, waiting in wanted.items() if waiting]:
            names = ", ".join(sorted(missing))
            fix = "correct `file` of the edit: the path below the source's folder"
            raise InputError(f"an edit is of {names}, which the source does not have", where=archive.name, fix=fix)
        with aside.open("rb") as stream:
            os.fsync(stream.fileno())
        aside.replace(out)
    finally:
        aside.unlink(missing_ok=True)
    sync_folder(out.parent)


def _copy(
    member: tarfile.TarInfo,
    source: tarfile.TarFile,
    target: tarfile.TarFile,
    wanted: dict[str, list[Edit]],
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
    if member.issym() and sdist:
        target = posixpath.normpath(posixpath.join(*parts[1:-1], member.linkname))
        return "a link that leads out of its folder" if target.startswith(("/", "..")) else ""
    if member.isfile() or member.isdir() or member.issym():
        return ""
    return "a hard link" if member.islnk() else "neither a file, a folder nor a link"


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
