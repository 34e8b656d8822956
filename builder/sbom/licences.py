"""The licences that a wheel or a .deb states itself. What states none, or cannot be read, gives none."""

from __future__ import annotations

import io
import lzma
import re
import tarfile
import zipfile
from email.parser import HeaderParser
from pathlib import Path
from typing import BinaryIO

from builder.plain import plain
from builder.zips import opened

_METADATA = re.compile(r"[^/]+\.dist-info/METADATA")
_COPYRIGHT = re.compile(r"(\./)?usr/share/doc/[^/]+/copyright")
_MOST = 4 << 20  # bytes of METADATA or of a copyright file; torch's METADATA, a long one, has 32 kB
_UNPACKED = 4 << 30  # bytes of a .deb that are gone through
_LONGEST, _NAMES = 200, 40  # characters of a licence's name, and how many of them
_CLASSIFIER = "License :: OSI Approved :: "
_AR, _HEADER = b"!<arch>\n", 60


def of_wheel(path: Path) -> tuple[str, ...]:
    """`License-Expression` of its METADATA, else the OSI classifiers, else a `License` of one line."""
    try:
        with opened(path) as archive:
            info = next((one for one in archive.infolist() if _METADATA.fullmatch(one.filename)), None)
            if info is None or info.file_size > _MOST:
                return ()
            text = archive.read(info).decode("utf-8", errors="replace")
    except (OSError, zipfile.BadZipFile):
        return ()
    said = HeaderParser().parsestr(text)
    if expression := said.get("License-Expression"):
        return _named([expression])
    classified = [
        one.removeprefix(_CLASSIFIER) for one in said.get_all("Classifier", []) if one.startswith(_CLASSIFIER)
    ]
    line = str(said.get("License", "")).strip()
    return _named(classified or ([] if "\n" in line else [line]))


def of_deb(path: Path) -> tuple[str, ...]:
    """The names after `License:` in its copyright file, if that is of the machine-readable form (DEP-5).

    A .deb whose data is packed by zstd, as Ubuntu's, is not read: Python knows zstd from 3.14 on only, and the same
    lock must give the same document with each.
    """
    try:
        with path.open("rb") as stream:
            if not _at_data(stream):
                return ()
            with (
                lzma.open(stream) as data,
                tarfile.open(fileobj=io.BufferedReader(_Bounded(data, _UNPACKED)), mode="r|") as tar,
            ):
                for member in tar:
                    if _COPYRIGHT.fullmatch(member.name) and member.isfile() and member.size <= _MOST:
                        found = tar.extractfile(member)
                        return _dep5(found.read().decode("utf-8", errors="replace")) if found else ()
    except (OSError, EOFError, ValueError, lzma.LZMAError, tarfile.TarError):
        return ()
    return ()


def _at_data(stream: BinaryIO) -> bool:
    """Go to the first byte of data.tar.xz, a member of the ar archive that a .deb is; False for another packing."""
    if stream.read(len(_AR)) != _AR:
        return False
    while len(header := stream.read(_HEADER)) == _HEADER:
        name, size = header[:16].rstrip(b" /"), int(header[48:58])
        if name.startswith(b"data.tar"):
            return name == b"data.tar.xz"
        stream.seek(size + size % 2, io.SEEK_CUR)
    return False


class _Bounded(io.RawIOBase):
    """A stream that ends with ValueError after so many bytes, so that no archive keeps its reader for ever."""

    def __init__(self, stream: lzma.LZMAFile, most: int) -> None:
        self._stream, self._left = stream, most

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        data = self._stream.read(min(len(buffer), 1 << 20))
        self._left -= len(data)
        if self._left < 0:
            raise ValueError("it is longer than is read")
        buffer[: len(data)] = data
        return len(data)


def _dep5(text: str) -> tuple[str, ...]:
    if not re.match(r"Format(-Specification)?:", text):
        return ()
    return _named(sorted(set(re.findall(r"^License:[ \t]*(\S.*)$", text, re.MULTILINE))))


def _named(names: list[str]) -> tuple[str, ...]:
    clean = [plain(" ".join(name.split())) for name in names if name.strip()]
    return tuple(dict.fromkeys(name[:_LONGEST] for name in clean if name not in ("UNKNOWN", "Dual License")))[:_NAMES]
