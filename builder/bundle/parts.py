"""Where a bundle's bytes go and come from: one file, or numbered parts with a list of their sha256."""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from builder.errors import InputError

BUNDLE, LIST = ".bundle.tar", ".bundle.parts.json"
_MOST = 1000  # parts, as their numbers have three digits
_LEAST = 1 << 16  # bytes of a part
_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_PIECE = 1 << 20
_LIST_LIMIT = 1 << 20
_FIX = "copy it anew from where the bundle was made"


def part_size(text: str) -> int:
    """Bytes of 4G, 700M and the like, powers of 1000 so that 4G fits a FAT32 stick. Raises InputError."""
    match = re.fullmatch(r"(\d{1,15})([KMGT]?)B?", text.strip().upper())
    size = int(match[1]) * _UNITS[match[2]] if match else 0
    if size < _LEAST:
        raise InputError(f"SPLIT={text} is not a size of {_LEAST} bytes or more", fix="write SPLIT=4G, or 700M")
    return size


@dataclass(frozen=True)
class Part:
    """One part: its file name, bytes and sha256."""

    name: str
    size: int
    sha256: str


class Sink:
    """Takes a bundle's bytes into folder/NAME.bundle.tar, or into parts of `split` bytes; nothing is renamed here."""

    def __init__(self, folder: Path, stem: str, split: int) -> None:
        self.folder, self._stem, self._split = folder, stem, split
        self.parts: list[Part] = []
        self._stream: BinaryIO | None = None
        self._digest = hashlib.sha256()
        self._size = 0

    def write(self, data: bytes) -> None:
        """Take these bytes. Raises InputError when the parts become too many, OSError of the disk."""
        while data:
            stream = self._stream or self._open()
            room = self._split - self._size if self._split else len(data)
            piece, data = data[:room], data[room:]
            stream.write(piece)
            self._size += len(piece)
            if self._split:
                self._digest.update(piece)
                if self._size == self._split:
                    self._end()

    def _open(self) -> BinaryIO:
        if len(self.parts) == _MOST:
            raise InputError(f"the bundle has more than {_MOST} parts", fix="choose a larger SPLIT")
        name = f"{self._stem}{BUNDLE}" + (f".{len(self.parts):03}" if self._split else "")
        self._stream = (self.folder / name).open("wb")
        self._size, self._digest = 0, hashlib.sha256()
        return self._stream

    def _end(self) -> None:
        if self._stream is not None:
            with self._stream as stream:
                stream.flush()
                os.fsync(stream.fileno())
                self.parts.append(Part(Path(stream.name).name, self._size, self._digest.hexdigest()))
            self._stream = None

    def close(self) -> list[Path]:
        """End the last file and write the list of parts; gives the files, the list last. All are on the disk."""
        self._end()
        files = [self.folder / part.name for part in self.parts]
        if self._split:
            rows = ",\n".join(f"  {json.dumps(vars(part))}" for part in self.parts)
            path = self.folder / f"{self._stem}{LIST}"
            with path.open("w") as stream:
                stream.write(f'{{\n"format": 1,\n"parts": [\n{rows}\n]\n}}\n')
                stream.flush()
                os.fsync(stream.fileno())
            files.append(path)
        return files

    def abandon(self) -> None:
        """Close what is open."""
        if self._stream is not None:
            self._stream.close()


class BundleBytes:
    """A bundle's bytes from its file or its parts, which are opened one after the other.

    parts: what is known of the files, each of which is held to its sha256 when its end is read. signed: whether that
    is so of a single file, which somebody signed.
    """

    def __init__(self, files: list[Path], parts: list[Part], *, signed: bool = False) -> None:
        self._files, self._parts, self._signed = files, parts, signed
        self.where = str(files[0])
        self._number = -1
        self._stream: BinaryIO | None = None
        self._digest = hashlib.sha256()

    def read(self, count: int, /) -> bytes:
        """Exactly count bytes, fewer only at the end. Raises InputError that names a damaged part."""
        pieces: list[bytes] = []
        while count and (self._stream or self._next()):
            piece = self._stream.read(count) if self._stream else b""
            if piece:
                pieces.append(piece)
                count -= len(piece)
                if self._parts:
                    self._digest.update(piece)
            else:
                self._end()
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _next(self) -> bool:
        if self._number + 1 == len(self._files):
            return False
        self._number += 1
        self._stream = self._files[self._number].open("rb")
        self._digest = hashlib.sha256()
        return True

    def _end(self) -> None:
        if self._stream is None:
            return
        self._stream.close()
        self._stream = None
        if self._parts and self._digest.hexdigest() != self._parts[self._number].sha256:
            where = str(self._files[self._number])
            if self._signed:
                raise _other(where)
            raise InputError(f"the part {self._parts[self._number].name} is damaged", where=where, fix=_FIX)

    def blame(self) -> None:
        """Read the part at hand to its end: raises InputError if it is the part that is damaged."""
        while self._stream is not None and self._parts:
            piece = self._stream.read(_PIECE)
            self._digest.update(piece)
            if not piece:
                self._end()

    def close(self) -> None:
        """Close what is open."""
        if self._stream is not None:
            self._stream.close()


def source(path: Path, *, signed: str = "") -> BundleBytes:
    """The bundle at path: its file, the list of its parts, any of the parts, or a folder that holds one bundle.

    signed: the sha256 of the file or list that a signature was verified of; what is read is held to it, as another may
    be there by now. Raises InputError that names the part which is missing or of another size.
    """
    path = whole(path)
    if not path.name.endswith(LIST):
        return BundleBytes([path], [Part(path.name, 0, signed)] if signed else [], signed=bool(signed))
    parts = _listed(path, signed)
    for part in parts:
        file = path.with_name(part.name)
        if not file.is_file():
            raise InputError(f"the part {part.name} is missing", where=str(file), fix="put all parts into one folder")
        if file.stat().st_size != part.size:
            why = f"it has {file.stat().st_size} bytes, not {part.size}"
            raise InputError(f"the part {part.name} is damaged", where=str(file), why=why, fix=_FIX)
    return BundleBytes([path.with_name(part.name) for part in parts], parts)


def whole(path: Path) -> Path:
    """The file, or the list of parts, that a path of a bundle stands for. Raises InputError where it is not there."""
    if path.is_dir():
        path = _only(path)
    if match := re.fullmatch(rf"(.+){re.escape(BUNDLE)}\.\d{{3}}", path.name):
        path = path.with_name(f"{match[1]}{LIST}")
    if not path.is_file():
        raise InputError("the bundle is not there", where=str(path), fix="name its file, list of parts or folder")
    return path


def _only(folder: Path) -> Path:
    found = [item for item in sorted(folder.iterdir()) if item.name.endswith((BUNDLE, LIST)) and item.is_file()]
    if len(found) != 1:
        names = ", ".join(item.name for item in found) or "none"
        raise InputError("the folder does not hold exactly one bundle", where=str(folder), why=names, fix="name one")
    return found[0]


def _other(where: str) -> InputError:
    why = "it was changed after its signature was verified"
    return InputError("the bundle is not what was signed", where=where, why=why, fix=_FIX)


def _listed(path: Path, signed: str) -> list[Part]:
    stem = path.name.removesuffix(LIST)
    with path.open("rb") as stream:
        data = stream.read(_LIST_LIMIT)
    if signed and hashlib.sha256(data).hexdigest() != signed:
        raise _other(str(path))
    try:
        value = json.loads(data.decode())
        rows = value["parts"]
        parts = [Part(row["name"], row["size"], row["sha256"]) for row in rows]
        good = value["format"] == 1 and 0 < len(parts) <= _MOST and all(type(part.size) is int for part in parts)
        if not good or any(part.name != f"{stem}{BUNDLE}.{number:03}" for number, part in enumerate(parts)):
            raise ValueError
    except (ValueError, KeyError, TypeError, RecursionError):
        raise InputError("the list of parts is damaged", where=str(path), fix=_FIX) from None
    return parts
