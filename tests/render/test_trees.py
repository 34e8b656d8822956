"""Source trees: declared edits made exactly once, the same bytes always, no archive that reaches out of its folder."""

from __future__ import annotations

import gzip
import io
import os
import subprocess
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from builder.errors import InputError, SurroundingsError
from builder.render.trees import write_tree
from builder.spec.parts import Edit

SETUP = "flags = ['-std=c++14']\nname = 'knn'\n"


def member(name: str, data: str = "", *, kind: bytes = tarfile.REGTYPE, link: str = "", mode: int = 0o644) -> bytes:
    """A whole tar of one member, to be strung together by `packed`."""
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname, entry.mode, entry.mtime = kind, link, mode, 1_700_000_000
    content = data.encode() if kind == tarfile.REGTYPE else b""
    entry.size = len(content)
    return entry.tobuf() + content + b"\0" * (-len(content) % tarfile.BLOCKSIZE)


def packed(path: Path, *members: bytes) -> Path:
    path.write_bytes(b"".join(members) + b"\0" * tarfile.RECORDSIZE)
    return path


def content(path: Path) -> dict[str, str]:
    """Name -> text of the files, "folder" or "-> target" of the rest."""
    found = {}
    with tarfile.open(path) as tree:
        for entry in tree:
            stream = tree.extractfile(entry) if entry.isfile() else None
            found[entry.name] = (
                stream.read().decode() if stream else f"-> {entry.linkname}" if entry.issym() else "folder"
            )
    return found


def edit(old: str, new: str, file: str = "setup.py", times: int = 1) -> Edit:
    return Edit(file=file, old=old, new=new, times=times)


def refusal(archive: Path, *edits: Edit, sdist: bool = False) -> InputError:
    out = archive.parent / "out" / "source.tar"
    with pytest.raises(InputError) as caught:
        write_tree(archive, out, edits, sdist=sdist)
    assert list(out.parent.iterdir()) == [], "nothing is left of a tree that was refused"
    return caught.value


def test_edits_are_made_and_everything_else_stays(tmp_path: Path) -> None:
    archive = packed(
        tmp_path / "a.tar",
        member("src", kind=tarfile.DIRTYPE, mode=0o700),
        member("setup.py", SETUP, mode=0o755),
        member("src/ext.cpp", "// é\r\nint x;\n"),
        member("link.py", kind=tarfile.SYMTYPE, link="setup.py"),
    )
    out = tmp_path / "out" / "source.tar"
    both = (edit("c++14", "c++17"), edit("'knn'", "'c++14'"), edit("int x;", "", file="src/ext.cpp"))
    write_tree(archive, out, both)
    assert content(out) == {
        "src": "folder",
        "setup.py": "flags = ['-std=c++17']\nname = 'c++14'\n",
        "src/ext.cpp": "// é\r\n\n",
        "link.py": "-> setup.py",
    }
    with tarfile.open(out) as tree:
        assert {(entry.mtime, entry.uid) for entry in tree} == {(0, 0)}
        assert {entry.name: entry.mode for entry in tree if entry.name != "link.py"} == {
            "src": 0o755,
            "setup.py": 0o755,
            "src/ext.cpp": 0o644,
        }


def test_the_bytes_do_not_depend_on_the_archives_dates(tmp_path: Path) -> None:
    plain = packed(tmp_path / "plain.tar", member("knn-1/setup.py", SETUP))
    entry = tarfile.TarInfo("knn-1/setup.py")
    entry.size, entry.mtime, entry.uname = len(SETUP), 1, "somebody"
    other = io.BytesIO()
    with tarfile.open(fileobj=other, mode="w") as archive:
        archive.addfile(entry, io.BytesIO(SETUP.encode()))
    (tmp_path / "other.tar.gz").write_bytes(gzip.compress(other.getvalue()))
    for name, archive_path in (("one", plain), ("two", tmp_path / "other.tar.gz")):
        write_tree(archive_path, tmp_path / name, (), sdist=True)
    assert content(tmp_path / "one") == {"setup.py": SETUP}, "an sdist's own folder is left out"
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


@pytest.mark.parametrize(
    ("old", "times", "fix"),
    [
        ("c++11", 0, "take the text from that commit's file"),
        (" = ", 2, "make `old` longer, so that it is one place, or say `times: 2` to change them all"),
        ("\n", 2, "make `old` longer, so that it is one place, or say `times: 2` to change them all"),
    ],
)
def test_an_edit_that_is_not_of_one_place_is_refused(old: str, times: int, fix: str, tmp_path: Path) -> None:
    error = refusal(packed(tmp_path / "a.tar", member("setup.py", SETUP)), edit(old, "x"))
    assert error.problem == f"the edit of setup.py applies {times} times, not once"
    assert error.fix == fix


def test_an_edit_of_as_many_places_as_it_says_changes_them_all(tmp_path: Path) -> None:
    archive = packed(tmp_path / "a.tar", member("setup.py", SETUP))
    write_tree(archive, tmp_path / "out.tar", (edit(" = ", "=", times=2),))
    assert content(tmp_path / "out.tar") == {"setup.py": "flags=['-std=c++14']\nname='knn'\n"}


def test_an_edit_of_fewer_places_than_it_says_is_refused(tmp_path: Path) -> None:
    error = refusal(packed(tmp_path / "a.tar", member("setup.py", SETUP)), edit("knn", "nn", times=2))
    assert error.problem == "the edit of setup.py applies 1 times, not 2 times"
    assert error.fix == "say `times: 1` to change it"


def test_an_edit_of_what_an_earlier_edit_made_twice_is_refused(tmp_path: Path) -> None:
    archive = packed(tmp_path / "a.tar", member("setup.py", SETUP))
    assert "applies 2 times" in refusal(archive, edit("'knn'", "'c++14'"), edit("c++14", "c++17")).problem


def test_an_edit_of_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    link = member("setup.cfg", kind=tarfile.SYMTYPE, link="setup.py")
    archive = packed(tmp_path / "a.tar", member("setup.py", SETUP), link)
    error = refusal(archive, edit("a", "b", file="setup.cfg"), edit("a", "b", file="src/setup.py"))
    assert error.problem == "an edit is of setup.cfg, src/setup.py, which the source does not have"
    assert error.where == "a.tar"


def test_an_edited_file_that_comes_twice_is_refused(tmp_path: Path) -> None:
    """The later one would hide the edit when it is unpacked."""
    archive = packed(tmp_path / "a.tar", member("setup.py", SETUP), member("./setup.py", SETUP))
    assert "is in the archive twice" in refusal(archive, edit("c++14", "c++17")).problem


def test_a_file_too_large_to_edit_is_refused(tmp_path: Path) -> None:
    archive = packed(tmp_path / "a.tar", member("setup.py", "x" * 16_000_001))
    assert refusal(archive, edit("c++14", "c++17")).problem == "setup.py is too large to be edited"


def test_a_link_to_anywhere_stays_in_a_repository_and_is_never_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("c++14")
    link = member("data", kind=tarfile.SYMTYPE, link=str(tmp_path / "secret"))
    write_tree(packed(tmp_path / "a.tar", link), tmp_path / "out.tar", ())
    assert content(tmp_path / "out.tar") == {"data": f"-> {tmp_path / 'secret'}"}


HOSTILE = {
    "climbs": (member("knn-1/../../etc/passwd", "x"), "it climbs out of its folder"),
    "absolute": (member("/etc/passwd", "x"), "it climbs out of its folder"),
    "hard link": (member("knn-1/a", kind=tarfile.LNKTYPE, link="/etc/passwd"), "a hard link"),
    "device": (member("knn-1/a", kind=tarfile.BLKTYPE), "neither a file, a folder nor a link"),
    "pipe": (member("knn-1/a", kind=tarfile.FIFOTYPE), "neither a file, a folder nor a link"),
    "link to /etc": (member("knn-1/a", kind=tarfile.SYMTYPE, link="/etc"), "a link that leads out of its folder"),
    "link upwards": (member("knn-1/a/b", kind=tarfile.SYMTYPE, link="../../x"), "a link that leads out of its folder"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_sdist_is_refused(case: str, tmp_path: Path) -> None:
    hostile, why = HOSTILE[case]
    error = refusal(packed(tmp_path / "a.tar", member("knn-1/setup.py", SETUP), hostile), sdist=True)
    assert (error.why, error.fix) == (why, "do not use this archive")


def test_a_link_inside_an_sdist_stays(tmp_path: Path) -> None:
    link = member("knn-1/src/b", kind=tarfile.SYMTYPE, link="../setup.py")
    archive = packed(tmp_path / "a.tar", member("knn-1/setup.py", SETUP), link)
    write_tree(archive, tmp_path / "out.tar", (), sdist=True)
    assert content(tmp_path / "out.tar")["src/b"] == "-> ../setup.py"


def broken(data: bytes) -> bytes:
    """The same with wrong bytes in the middle of what is packed."""
    middle = len(data) // 2
    return data[:middle] + bytes(byte ^ 0xFF for byte in data[middle : middle + 64]) + data[middle + 64 :]


@pytest.mark.parametrize("damage", [lambda data: data[: len(data) // 2], broken, lambda data: b"not an archive"])
def test_a_damaged_archive_is_told(damage: Callable[[bytes], bytes], tmp_path: Path) -> None:
    noise = "".join(chr(33 + number * 7919 % 90) for number in range(200_000))
    archive = packed(tmp_path / "a.tar", member("knn-1/a", noise), member("knn-1/setup.py", SETUP))
    packed_again = tmp_path / "a.tar.gz"
    packed_again.write_bytes(damage(gzip.compress(archive.read_bytes())))
    error = refusal(packed_again, sdist=True)
    assert (error.problem, error.where) == ("the archive cannot be read", str(packed_again))
    assert error.fix == "run `make fetch VERIFY=1`; an sdist has to be a .tar.gz or a .zip"


def test_a_full_disk_is_said_and_nothing_is_left(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("a small tmpfs needs root")
    archive = packed(tmp_path / "a.tar", member("knn.cu", "x" * 400_000))
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=100k", "small", small], check=True)
    try:
        with pytest.raises(SurroundingsError) as caught:
            write_tree(archive, small / "source.tar", ())
        assert (caught.value.problem, caught.value.where) == ("the disk is full", str(small))
        assert list(small.iterdir()) == []
    finally:
        subprocess.run(["umount", small], check=True)


@pytest.mark.parametrize("folder", ["knn-1/", ""])
def test_an_sdist_may_be_a_zip_archive_with_its_folder_or_without(folder: str, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "knn-1.zip", "w") as archive:
        archive.writestr(f"{folder}setup.py", SETUP)
        archive.writestr(f"{folder}src/knn.c", "int knn;")
    write_tree(tmp_path / "knn-1.zip", tmp_path / "out" / "s.tar", [edit("c++14", "c++17")], sdist=True)
    assert content(tmp_path / "out" / "s.tar") == {"setup.py": SETUP.replace("14", "17"), "src/knn.c": "int knn;"}


@pytest.mark.parametrize("name", ["../up.py", "/etc/passwd", "knn-1/../../up.py"])
def test_a_hostile_zip_archive_is_refused(name: str, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "knn-1.zip", "w") as archive:
        archive.writestr("knn-1/setup.py", SETUP)
        archive.writestr(name, "x")
    assert refusal(tmp_path / "knn-1.zip", sdist=True).problem.endswith("is in the archive")
    (tmp_path / "knn-1.zip").write_bytes((tmp_path / "knn-1.zip").read_bytes()[:-30])
    assert "cannot be read" in refusal(tmp_path / "knn-1.zip", sdist=True).problem


def test_files_beside_the_archive_take_the_place_of_its_own(tmp_path: Path) -> None:
    archive = packed(tmp_path / "source.tar", member("data/sound.wav", "pointer"), member("setup.py", SETUP))
    (tmp_path / "sound").write_text("RIFF")
    (tmp_path / "kit").write_text("#!/bin/sh")
    beside = {"data/sound.wav": tmp_path / "sound", "tools/kit": tmp_path / "kit"}
    write_tree(archive, tmp_path / "out.tar", [], beside=beside)
    assert content(tmp_path / "out.tar") == {"setup.py": SETUP, "data/sound.wav": "RIFF", "tools/kit": "#!/bin/sh"}
    with tarfile.open(tmp_path / "out.tar") as tree:
        assert [oct(tree.getmember(name).mode) for name in beside] == ["0o644", "0o755"]
