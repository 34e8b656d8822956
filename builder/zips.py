"""Zip files of others, wheels among them: opened to a bound, whatever is wrong with one is the same error."""

from __future__ import annotations

import errno
import io
import lzma
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# The list of members, which zipfile reads at once: some 200,000 of usual names, and about as many MB of memory.
_LARGEST_LIST = 16 << 20
# What is more than this many times its packed size, and large, is made to fill a disk.
_MAX_RATIO, _SMALL = 100, 100 << 20
_FAULTS = (
    zlib.error, lzma.LZMAError, EOFError, NotImplementedError, RuntimeError, struct.error, ValueError, IndexError
)  # fmt: skip


@contextmanager
def opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """The archive at path, for the length of a with block.

    Raises zipfile.BadZipFile for whatever is wrong with it, at opening or where a member is read; OSError for a path
    that cannot be read or is no plain file, which would hold the reader up.
    """
    if not path.is_file():
        raise FileNotFoundError(errno.ENOENT, "there is no plain file", str(path))
    try:
        with path.open("rb", buffering=0) as raw, _Bounded(raw) as stream, zipfile.ZipFile(stream) as archive:
            stream.most = None
            yield archive
    except OSError as error:
        if error.errno not in (None, errno.EINVAL):  # bzip2's own word for a broken stream, a place before the file
            raise
        raise zipfile.BadZipFile(error.strerror or str(error)) from None
    except _FAULTS as error:
        raise zipfile.BadZipFile(str(error) or type(error).__name__) from None


class _Bounded(io.BufferedReader):
    """A file of which no more than so many bytes are read at once, while that is told."""

    most: int | None = _LARGEST_LIST

    def read(self, size: int | None = -1, /) -> bytes:
        if self.most is not None and size is not None and size > self.most:
            raise zipfile.BadZipFile(f"its list of members has {size} bytes, more than {self.most}")
        return super().read(size)


def fault(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> tuple[str, str]:
    """Why a member may not be taken out, and what it is instead; two empty texts where it may."""
    mode = info.external_attr >> 16
    if info.is_dir() or (stat.S_IFMT(mode) and not stat.S_ISREG(mode)):
        return "is no plain file in the archive", "it is a folder, a link or a device"
    if "\0" in info.orig_filename:
        return "has another name in the archive", repr(info.orig_filename[:200])
    if info.flag_bits & 1:
        return "is encrypted in the archive", ""
    if info.header_offset < 0 or info.header_offset + info.compress_size > _size(archive):
        return "lies outside of the archive", f"{info.compress_size} bytes at {info.header_offset}"
    if info.file_size > _SMALL and info.file_size > _MAX_RATIO * max(info.compress_size, 1):
        return "in the archive is a zip bomb", f"{info.compress_size} bytes that unpack to {info.file_size}"
    return "", ""


def read(archive: zipfile.ZipFile, name: str) -> bytes:
    """The bytes of a member. Raises BadZipFile where it is damaged or may not be taken out, KeyError for none."""
    info = archive.getinfo(name)
    problem, why = fault(archive, info)
    if problem:
        raise zipfile.BadZipFile(f"{name[:200]!r} {problem}: {why}")
    return archive.read(info)


def _size(archive: zipfile.ZipFile) -> int:
    assert archive.fp is not None  # noqa: S101 - it is open
    return archive.fp.seek(0, io.SEEK_END)
