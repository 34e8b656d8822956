"""Archives of sources with odd headers, links through links, and sizes that explode."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import subprocess
import tarfile
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from builder.errors import InputError
from builder.render.trees import write_tree
from tests.render.test_trees import SETUP, content, edit, member, packed

TOP = member("knn-1/setup.py", SETUP)


def pax(name: str, data: bytes = b"x", kind: bytes = tarfile.REGTYPE, /, **records: str) -> bytes:
    """A file whose PAX header overrides what its own header says."""
    info = tarfile.TarInfo(name)
    info.type, info.size, info.pax_headers = kind, len(data), records
    return info.tobuf(tarfile.PAX_FORMAT) + data + bytes(-len(data) % tarfile.BLOCKSIZE)


def raw(name: str, kind: bytes, data: bytes = b"", size: int | None = None) -> bytes:
    info = tarfile.TarInfo(name)
    info.type, info.size = kind, len(data) if size is None else size
    return info.tobuf(tarfile.GNU_FORMAT) + data + bytes(-len(data) % tarfile.BLOCKSIZE)


def link(name: str, target: str) -> bytes:
    return member(name, kind=tarfile.SYMTYPE, link=target)


def sparse() -> bytes:
    """A file of a terabyte, all of it a hole, in the old GNU form."""
    info = tarfile.TarInfo("knn-1/hole")
    info.type = tarfile.GNUTYPE_SPARSE
    head = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    head[483:495] = b"\x80" + bytes(3) + (1 << 40).to_bytes(8, "big")
    total = sum(head[:148]) + 8 * 32 + sum(head[156:])
    head[148:156] = b"%06o\0 " % total
    return bytes(head)


def sparse_pax() -> bytes:
    records = {"major": "0", "minor": "1", "size": str(1 << 40), "map": f"{1 << 40},0", "name": "knn-1/hole"}
    return pax("knn-1/hole", b"x", **{f"GNU.sparse.{key}": value for key, value in records.items()})


CASES: dict[str, tuple[Callable[[], bytes], str]] = {
    "a path of PAX that climbs": (lambda: pax("knn-1/a", path="../../etc/evil"), "it climbs"),
    "a path of PAX that is absolute": (lambda: pax("knn-1/a", path="/etc/evil"), "it climbs"),
    "a link of PAX": (lambda: pax("knn-1/a", b"", tarfile.SYMTYPE, linkpath="/etc"), "a link that leads out"),
    "a size of PAX beyond the end": (lambda: pax("knn-1/a", size="99999999999"), "unpacks to very much"),
    "a size of PAX that is none": (lambda: pax("knn-1/a", size="evil"), ""),
    "a size of PAX below none": (lambda: pax("knn-1/a", size="-5"), ""),
    "a header of PAX of 8 GB": (lambda: raw("x", tarfile.XHDTYPE, b"", 8 << 30), "a header is of"),
    "a long name of 8 GB": (lambda: raw("x", tarfile.GNUTYPE_LONGNAME, b"", 8 << 30), "a header is of"),
    "a long name that climbs": (
        lambda: raw("././@LongLink", tarfile.GNUTYPE_LONGNAME, b"../../evil\0") + member("knn-1/a", "x"), "it climbs"
    ),
    "headers of headers": (
        lambda: raw("././@LongLink", tarfile.GNUTYPE_LONGNAME, b"x\0") * 3000 + member("knn-1/a", "x"), "recursion"
    ),
    "a global path": (
        lambda: tarfile.TarInfo.create_pax_global_header({"path": "/etc/evil"}) + member("knn-1/a", "x"), "it climbs"
    ),
    "a sparse file": (sparse, "unpacks to very much"),
    "a sparse file of PAX": (sparse_pax, "unpacks to very much"),
    "a NUL in a name": (lambda: pax("knn-1/a", path="knn-1/a\0b"), "its name holds a NUL"),
    "a link out by two": (
        lambda: link("knn-1/here", ".") + link("knn-1/up", "here/.."), "a link that leads out of its folder"
    ),
    "a link out by its middle": (lambda: link("knn-1/up", "a/../../x"), "a link that leads out of its folder"),
    "a file behind a link": (lambda: link("knn-1/a", "src") + member("knn-1/a/b", "x"), "'a' is a link in it"),
    "a folder behind a link": (
        lambda: link("knn-1/a", "src") + member("knn-1/a/b", kind=tarfile.DIRTYPE), "'a' is a link in it"
    ),
    "a link behind a link": (lambda: link("knn-1/a", "src") + link("knn-1/a/b", "c"), "'a' is a link in it"),
    "a folder that becomes a link": (
        lambda: member("knn-1/a", kind=tarfile.DIRTYPE) + link("knn-1/a", "src") + member("knn-1/a/b", "x"),
        "'a' is a link in it",
    ),
    "another archive behind it": (
        lambda: member("knn-1/a", "x") + bytes(1024) + member("../../evil", "x"), ""
    ),
    "a character device": (lambda: member("knn-1/a", kind=tarfile.CHRTYPE), "neither a file"),
    "an unknown kind": (lambda: raw("knn-1/a", b"Z"), ""),
}  # fmt: skip
# What is taken for a plain file or left out by tar's own rules: nothing odd is written.
HARMLESS = {"a size of PAX that is none", "a size of PAX below none", "another archive behind it",
            "an unknown kind"}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_an_odd_header_is_refused_or_harmless(case: str, tmp_path: Path) -> None:
    made, why = CASES[case]
    archive, out = packed(tmp_path / "a.tar", TOP, made()), tmp_path / "out" / "source.tar"
    tracemalloc.start()
    try:
        write_tree(archive, out, (), sdist=True)
    except InputError as error:
        assert why in str(error) and list(out.parent.iterdir()) == []
    else:
        assert case in HARMLESS
        with tarfile.open(out) as tree:
            assert not [one for one in tree if one.name.startswith(("/", "..")) or not (one.isfile() or one.isdir())]
    finally:
        assert tracemalloc.get_traced_memory()[1] < 80 << 20
        tracemalloc.stop()


def test_no_file_of_a_repository_is_written_through_its_own_link(tmp_path: Path) -> None:
    """A repository may link to anywhere: what lies behind such a link would be written there."""
    archive = packed(tmp_path / "a.tar", link("data", "/etc"), member("data/evil", "x"))
    with pytest.raises(InputError, match="'data' is a link in it"):
        write_tree(archive, tmp_path / "out.tar", ())
    beside = packed(tmp_path / "b.tar", link("data", "/etc"), member("setup.py", SETUP))
    (tmp_path / "sound").write_text("RIFF")
    with pytest.raises(InputError, match="'data' is a link in it"):
        write_tree(beside, tmp_path / "out.tar", (), beside={"data/sound.wav": tmp_path / "sound"})
    assert not (tmp_path / "out.tar").exists()


@pytest.mark.parametrize("kind", ["zeros", "members"])
def test_an_archive_that_explodes_is_refused(kind: str, tmp_path: Path) -> None:
    """A file of 5 GB in some bytes, and 310,000 empty files in 2 MB."""
    path = tmp_path / "a.tar.gz"
    data = raw("knn-1/a", tarfile.REGTYPE, b"", 5 << 30) if kind == "zeros" else member("knn-1/a", "") * 310_000
    path.write_bytes(gzip.compress(data, 1))
    with pytest.raises(InputError, match="the archive unpacks to very much"):
        write_tree(path, tmp_path / "out" / "source.tar", (), sdist=True)
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress, lzma.compress], ids=["plain", "gz", "bz2", "xz"])
def test_honest_archives_of_every_packing_are_read(pack: Callable[[bytes], bytes], tmp_path: Path) -> None:
    out = io.BytesIO()
    names = ["setup.py", "Makefile", "makefile", "a b", "n" * 240, "ü.py", "..data/x", "-rf", "d\\e", "l\ne"]
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name in names:
            info = tarfile.TarInfo(f"knn-1/{name}")
            info.size, info.mode = len(SETUP), 0o6755
            tar.addfile(info, io.BytesIO(SETUP.encode()))
        for name, target in (
            ("src/up", "../setup.py"),
            ("src/same", "./other"),
            ("far", "src/deep/x"),
            ("d", "..data"),
        ):
            info = tarfile.TarInfo(f"knn-1/{name}")
            info.type, info.linkname = tarfile.SYMTYPE, target
            tar.addfile(info)
    archive, made = tmp_path / "a.tar.gz", tmp_path / "out.tar"
    archive.write_bytes(pack(out.getvalue()))
    write_tree(archive, made, (edit("c++14", "c++17"),), sdist=True)
    found = content(made)
    assert {name: found[name] for name in names[1:]} == dict.fromkeys(names[1:], SETUP)
    assert (found["setup.py"], found["src/up"], found["d"]) == (
        SETUP.replace("14", "17"),
        "-> ../setup.py",
        "-> ..data",
    )
    with tarfile.open(made) as tree:
        assert {one.mode for one in tree if one.isfile()} == {0o755}, "no set-uid bit"
    unpacked = tmp_path / "unpacked"
    unpacked.mkdir()
    subprocess.run(["tar", "-xf", made, "-C", unpacked], check=True)
    assert (unpacked / "l\ne").read_text() == SETUP
