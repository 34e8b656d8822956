"""A wheel as a layer of an image: a tar of what an installer lays out, made straight from the wheel in one pass.

pypa's `installer` says what goes where; its members are inflated by ISA-L as they are written, so that no wheel is
ever unpacked to a disk or held in memory. The same wheel gives the same bytes on every machine: members in the order of
the wheel, folders before what is in them, one date. Byte code is not in it: that is the interpreter's own work, which
the Dockerfile does.
"""

from __future__ import annotations

import base64
import configparser
import hashlib
import os
import re
import tarfile
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

import installer
from installer.destinations import WheelDestination
from installer.exceptions import InstallerError
from installer.records import Hash, InvalidRecordEntry, RecordEntry, parse_record_file
from installer.scripts import Script
from installer.sources import WheelFile
from installer.utils import Scheme, construct_record_file, parse_metadata_file
from isal import isal_zlib
from packaging.utils import canonicalize_name, parse_wheel_filename
from packaging.version import Version

from builder import zips
from builder.build import members
from builder.errors import InputError
from builder.render import ready
from builder.render.dockerfile import CLAMP

# What the same wheel comes out the same by.
RECIPE = f"{ready.RECIPE} installer {installer.__version__}"
_VENV = "opt/venv"
_PYTHON = f"/{_VENV}/bin/python"
_PIECE = 1 << 20
_LONGEST, _LONGEST_NAME = 4000, 255  # bytes, as Linux has them
_PROGRAM = re.compile(r"(?!python|activate)[A-Za-z0-9_][\w.+-]*")
_NOTES = {"INSTALLER": b"modelstacks\n", "REQUESTED": b""}
_INFLATING = cast(type[Exception], isal_zlib.error)  # its types call it a value
_FAULTS = (
    zipfile.BadZipFile, InstallerError, InvalidRecordEntry, ValueError, KeyError, AssertionError, configparser.Error,
    _INFLATING,
)  # fmt: skip

Put = Callable[[bytes], object]


def write(wheel: Path, python: str, put: Put) -> None:
    """Hand the layer's tar to put, piece by piece. python: as in lib/python3.11.

    Raises InputError for a wheel that holds what it may not, or that cannot be laid out.
    """
    _laid_out(wheel, _Layer(wheel.name, python, put))


def size(wheel: Path, python: str) -> int:
    """The bytes of that tar, without unpacking the wheel's members. Raises as `write` does."""
    counted = _Layer(wheel.name, python, None)
    _laid_out(wheel, counted)
    return counted.size


def _laid_out(wheel: Path, layer: _Layer) -> None:
    members.refuse([wheel])
    try:
        with zips.opened(wheel) as archive:
            archive.filename = str(wheel)
            source = _Wheel(archive)
            source.require_own(wheel.name)
            installer.install(source, layer, _NOTES)
            layer.end()
    except _FAULTS as error:
        why = str(error) or type(error).__name__
        fix = "run `make fetch VERIFY=1`; if it stays, name another version, or an index that has an honest one"
        raise InputError(f"{wheel.name} cannot be laid out", where=str(wheel), why=why[:400], fix=fix) from None


@dataclass(frozen=True)
class _Member:
    """A member of a wheel as it is read, with what the wheel's RECORD says of it."""

    stream: BinaryIO
    length: int
    record: RecordEntry


class _Wheel(WheelFile):
    """The contents as uv takes them: also what RECORD is silent about, but no byte code of others."""

    def require_own(self, filename: str) -> None:
        """Raise ValueError where its metadata are of another project or version than its name."""
        told = parse_metadata_file(self.read_dist_info("METADATA"))
        project, version, _, _ = parse_wheel_filename(filename)
        if canonicalize_name(told["Name"] or "") != project or Version(told["Version"] or "") != version:
            raise ValueError(f"its METADATA is of {told['Name']} {told['Version']}"[:200])

    def get_contents(self) -> Iterator[Any]:
        rows = {row[0]: row for row in parse_record_file(self.read_dist_info("RECORD").splitlines())}
        for info in self._zipfile.infolist():
            if info.is_dir() or "__pycache__" in info.filename.split("/")[:-1]:
                continue
            row = rows.get(info.filename, (info.filename, "", ""))
            with self._zipfile.open(info) as stream:
                if info.compress_type == zipfile.ZIP_DEFLATED:  # twice as quick as zlib's own
                    cast(Any, stream)._decompressor = isal_zlib.decompressobj(-15)
                member = _Member(cast(BinaryIO, stream), info.file_size, RecordEntry.from_elements(*row))
                yield row, member, bool(info.external_attr >> 16 & 0o111)


class _Layer(WheelDestination):
    """Writes a tar instead of a folder. put: None to count alone."""

    def __init__(self, filename: str, python: str, put: Put | None) -> None:
        self.size = 0
        self._project = str(canonicalize_name(filename.partition("-")[0]))
        self._put = put
        self._python = python
        self._folders: set[str] = set()
        self._files: set[str] = set()

    def write_script(self, name: str, module: str, attr: str, section: Any) -> RecordEntry:  # noqa: ANN401
        if not _PROGRAM.fullmatch(name) or not re.fullmatch(r"[\w.]+", module + attr):
            raise ValueError(f"its entry points name the program {name[:100]!r}, {module[:100]}:{attr[:100]}")
        _, data = Script(name, module, attr, section).generate(_PYTHON, "posix")
        return self._small("scripts", name, data, executable=True)

    def write_file(
        self, scheme: Scheme, path: str | os.PathLike[str], stream: BinaryIO | _Member, is_executable: bool
    ) -> RecordEntry:
        name = os.fspath(path)
        if not isinstance(stream, _Member):
            return self._small(scheme, name, stream.read(), executable=is_executable)
        start = stream.stream.read(_PIECE) if scheme == "scripts" else b""
        if start.startswith(b"#!python"):
            if stream.length > len(start):
                raise ValueError(f"{name[:200]!r} is a script of {stream.length} bytes")
            changed = f"#!{_PYTHON}\n".encode() + start.partition(b"\n")[2]
            return self._small(scheme, name, changed, executable=True)
        pieces, program = _pieces(start, stream.stream), is_executable or scheme == "scripts"
        self._file(self._place(scheme, name), stream.length, pieces, executable=program)
        return RecordEntry(name, stream.record.hash_, stream.record.size)

    def finalize_installation(
        self, scheme: Scheme, record_file_path: str, records: Iterable[tuple[Scheme, RecordEntry]]
    ) -> None:
        root = f"{self._place('purelib', '')}"

        def prefix(of: Scheme) -> str | None:
            return None if of in ("purelib", "platlib") else f"{os.path.relpath(self._place(of, ''), root)}/"

        with construct_record_file(records, prefix) as made:
            self._small(scheme, record_file_path, made.read(), executable=False)

    def end(self) -> None:
        self._write(b"\0" * (2 * tarfile.BLOCKSIZE))

    def _place(self, scheme: str, name: str) -> str:
        folders = {"data": "", "scripts": "bin/", "headers": f"include/site/python{self._python}/{self._project}/"}
        return f"{_VENV}/{folders.get(scheme, f'lib/python{self._python}/site-packages/')}{name}"

    def _small(self, scheme: str, name: str, data: bytes, *, executable: bool) -> RecordEntry:
        self._file(self._place(scheme, name), len(data), [data], executable=executable)
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        return RecordEntry(name, Hash("sha256", digest), len(data))

    def _file(self, place: str, length: int, pieces: Iterable[bytes], *, executable: bool) -> None:
        if place in self._files or place in self._folders:
            raise ValueError(f"it installs /{place[:200]} twice")
        if len(place) > _LONGEST or any(len(part.encode()) > _LONGEST_NAME for part in place.split("/")):
            raise ValueError(f"it installs a name too long for a file system: {place[:100]!r}")
        self._files.add(place)
        for end in (at for at, char in enumerate(place) if char == "/"):
            folder = place[:end]
            if folder in self._files:
                raise ValueError(f"it installs /{folder[:200]} as a file and as a folder")
            if folder not in self._folders:
                self._folders.add(folder)
                self._write(_header(folder, 0, tarfile.DIRTYPE, 0o755))
        self._write(_header(place, length, tarfile.REGTYPE, 0o755 if executable else 0o644))
        if self._put is None:
            self.size += length
        else:
            before = self.size
            for piece in pieces:
                self._write(piece)
            if self.size - before != length:
                raise ValueError(f"{place[:200]} has {self.size - before} bytes, not {length}")
        self._write(b"\0" * (-length % tarfile.BLOCKSIZE))

    def _write(self, data: bytes) -> None:
        self.size += len(data)
        if self._put is not None and data:
            self._put(data)


def _pieces(start: bytes, stream: BinaryIO) -> Iterator[bytes]:
    if start:
        yield start
    while piece := stream.read(_PIECE):
        yield piece


def _header(name: str, length: int, kind: bytes, mode: int) -> bytes:
    entry = tarfile.TarInfo(name)
    entry.size, entry.type, entry.mode, entry.mtime = length, kind, mode, int(CLAMP[1:])
    return entry.tobuf(tarfile.GNU_FORMAT)
