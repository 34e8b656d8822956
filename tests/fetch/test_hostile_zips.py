"""Zip archives whose lists, sizes and headers lie: a member is what the archive lists, or it is refused by name."""

from __future__ import annotations

import io
import os
import stat
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from builder import zips
from builder.errors import JobError
from builder.fetch.member import unpack

NET = bytes(range(256)) * 40
LOCAL, CENTRAL, END, END64, LOCATOR = b"PK\3\4", b"PK\1\2", b"PK\5\6", b"PK\6\6", b"PK\6\7"


def packed(*names: str, method: int = zipfile.ZIP_STORED, data: bytes = NET, comment: bytes = b"") -> bytearray:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name in names or ("net.pth",):
            archive.writestr(zipfile.ZipInfo(name), data, method)
        archive.comment = comment
    return bytearray(out.getvalue())


def central(data: bytearray, offset: int, form: str, *values: int) -> bytearray:
    """Write into the first entry of the list, so many bytes behind its mark."""
    struct.pack_into(form, data, data.index(CENTRAL) + offset, *values)
    return data


def end(data: bytearray, offset: int, form: str, *values: int) -> bytearray:
    struct.pack_into(form, data, data.rindex(END) + offset, *values)
    return data


def extra64(*values: int) -> bytearray:
    """An entry whose sizes and place are in a zip64 field of the list: unpacked, packed, offset."""
    data = packed()
    field = struct.pack(f"<HH{len(values)}Q", 1, 8 * len(values), *values)
    at = data.index(CENTRAL)
    struct.pack_into("<LL", data, at + 20, 0xFFFFFFFF, 0xFFFFFFFF)
    struct.pack_into("<H", data, at + 30, len(field))
    if len(values) > 2:
        struct.pack_into("<L", data, at + 42, 0xFFFFFFFF)
    data[at + 46 + 7 : at + 46 + 7] = field
    return end(data, 12, "<L", data.rindex(END) - at)


def end64(entries: int, size: int, offset: int) -> bytearray:
    """An end of zip64 that says so of the list."""
    data = packed()
    at = data.rindex(END)
    record = struct.pack("<4sQ2H2L4Q", END64, 44, 45, 45, 0, 0, entries, entries, size, offset)
    locator = struct.pack("<4sLQL", LOCATOR, 0, at, 1)
    data[at:at] = record + locator
    return end(data, 8, "<HHLL", 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF)


def overlapping() -> bytearray:
    """Two entries of the list that lead to one local header."""
    data = packed("net.pth", "net.two")
    struct.pack_into("<L", data, data.rindex(CENTRAL) + 42, 0)
    return data


def renamed(old: bytes, new: bytes, *, where: str) -> bytearray:
    """The name in the local header or in the list replaced by one of the same length."""
    data = packed()
    at = data.index(old) if where == "local" else data.rindex(old)
    data[at : at + len(old)] = new
    return data


def special(mode: int) -> bytearray:
    data = packed()
    return central(data, 38, "<L", mode << 16)


CASES: dict[str, Callable[[], bytearray]] = {
    "a size of zip64 that is larger": lambda: extra64(1 << 62, len(NET)),
    "a packed size of zip64 that is larger": lambda: extra64(len(NET), 1 << 62),
    "both sizes of zip64": lambda: extra64(1 << 63, 1 << 63),
    "a place of zip64 beyond the end": lambda: extra64(len(NET), len(NET), 1 << 62),
    "a field of zip64 that is cut": lambda: extra64(len(NET)),
    "a list of zip64 of many gigabytes": lambda: end64(1, 1 << 40, 0),
    "a list of zip64 that begins before the file": lambda: end64(1, 1 << 62, 1 << 62),
    "an end of zip64 whose offset is all ones": lambda: end64(1, 100, (1 << 64) - 1),
    "a size that is smaller": lambda: central(packed(), 24, "<L", 10),
    "a size that is larger": lambda: central(packed(), 24, "<L", 1 << 20),
    "a packed size that is smaller": lambda: central(packed(), 20, "<L", 10),
    "a packed size beyond the end": lambda: central(packed(), 20, "<L", 1 << 30),
    "a packed stream of another size": lambda: central(packed(method=zipfile.ZIP_DEFLATED), 24, "<L", len(NET) - 5),
    "a sum that lies": lambda: central(packed(), 16, "<L", 0x12345678),
    "an offset into the list": lambda: central(packed(), 42, "<L", 5000),
    "an offset beyond the end": lambda: central(packed(), 42, "<L", 0x7FFFFFFF),
    "a list that begins beyond the end": lambda: end(packed(), 16, "<L", 0x7FFFFFFF),
    "a list larger than the file": lambda: end(packed(), 12, "<L", 0x7FFFFFFF),
    "a list that is cut": lambda: end(packed(), 12, "<L", 20),
    "another name in the local header": lambda: renamed(b"net.pth", b"bad.pth", where="local"),
    "another name in the list": lambda: renamed(b"net.pth", b"bad.pth", where="list"),
    "a name with a NUL": lambda: renamed(b"net.pth", b"net\0pth", where="list"),
    "a name that is no UTF-8": lambda: central(renamed(b"net.pth", b"\xff\xfet.pth", where="list"), 8, "<H", 0x800),
    "a device": lambda: special(stat.S_IFBLK | 0o644),
    "a fifo": lambda: special(stat.S_IFIFO | 0o644),
    "a socket": lambda: special(stat.S_IFSOCK | 0o644),
    "a link": lambda: special(stat.S_IFLNK | 0o777),
    "an encrypted member": lambda: central(packed(), 8, "<H", 1),
    "a strongly encrypted member": lambda: central(packed(), 8, "<H", 0x41),
    "patched data": lambda: central(packed(), 8, "<H", 0x20),
    "an unknown packing": lambda: central(packed(), 10, "<H", 97),
    "a packing of this list alone": lambda: central(packed(), 10, "<H", zipfile.ZIP_DEFLATED),
    "an LZMA stream that is none": lambda: central(packed(), 10, "<H", zipfile.ZIP_LZMA),
    "a bzip2 stream that is none": lambda: central(packed(), 10, "<H", zipfile.ZIP_BZIP2),
    "a version of the future": lambda: central(packed(), 6, "<H", 255),
    "a split archive": lambda: packed()[200:],
    "an archive in a comment": lambda: packed("other.pth", comment=bytes(packed())[:-22] + b"PK\5\7" + bytes(18)),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_list_that_lies_is_refused_by_name_and_leaves_nothing(case: str, tmp_path: Path) -> None:
    archive, target = tmp_path / "all.zip", tmp_path / "net.part"
    archive.write_bytes(CASES[case]())
    with pytest.raises(JobError) as caught:
        unpack(archive, "net.pth", target)
    assert caught.value.where == str(archive)
    assert not target.exists()


def test_a_list_of_too_many_members_is_not_read(tmp_path: Path) -> None:
    archive = tmp_path / "all.zip"
    entry = struct.pack("<4s4B4HL2L5H2L", CENTRAL, 20, 3, 20, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0) + b"a"
    count = zips._LARGEST_LIST // len(entry) + 1
    tail = struct.pack("<4s4H2LH", END, 0, 0, count & 0xFFFF, count & 0xFFFF, count * len(entry), 0, 0)
    archive.write_bytes(entry * count + tail)
    with pytest.raises(JobError, match=r"its list of members has 1[0-9]{7} bytes"):
        unpack(archive, "a", tmp_path / "a")


@pytest.mark.parametrize("kind", ["fifo", "folder", "nothing", "a link to a device"])
def test_what_is_no_file_holds_nobody_up(kind: str, tmp_path: Path) -> None:
    archive = tmp_path / "all.zip"
    if kind == "fifo":
        os.mkfifo(archive)
    elif kind == "folder":
        archive.mkdir()
    elif kind == "a link to a device":
        archive.symlink_to("/dev/zero")
    with pytest.raises(OSError, match=r"all\.zip"), zips.opened(archive):
        pass


HONEST: dict[str, Callable[[], bytearray]] = {
    "stored": packed,
    "deflated": lambda: packed(method=zipfile.ZIP_DEFLATED),
    "bzip2": lambda: packed(method=zipfile.ZIP_BZIP2),
    "LZMA": lambda: packed(method=zipfile.ZIP_LZMA),
    "zip64 of true sizes": lambda: extra64(len(NET), len(NET)),
    "zip64 of a true place": lambda: extra64(len(NET), len(NET), 0),
    "something before it": lambda: bytearray(b"#!/bin/sh\nexit\n") + packed(),
    "a comment": lambda: packed(comment=b"made by us, PK\1\2 and all"),
    "a member beside it that climbs": lambda: packed("../../evil", "net.pth"),
    "names of another case": lambda: packed("NET.pth", "net.pth", "Net.pth"),
    "two entries of one place": overlapping,
    "a number of another disk": lambda: end(packed(), 4, "<HH", 7, 7),
    "a length of the last name beyond the list": lambda: central(packed(), 28, "<H", 0xFFFF),
    "an archive in it": lambda: packed("all.zip", "net.pth"),
    "more members than 16 bits count": lambda: packed(*map(str, range(66_000)), "net.pth", data=b"x"),
}


@pytest.mark.parametrize("case", HONEST)
def test_an_honest_archive_is_read(case: str, tmp_path: Path) -> None:
    archive, target = tmp_path / "all.zip", tmp_path / "net.part"
    archive.write_bytes(HONEST[case]())
    unpack(archive, "net.pth", target)
    assert target.read_bytes() == (b"x" if case.startswith("more") else NET)
    assert not list(tmp_path.parent.glob("evil")), "nothing else of it is written"
