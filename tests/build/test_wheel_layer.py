"""A wheel as a layer: the same files as uv installs, the same bytes always, and nothing outside of the environment."""

from __future__ import annotations

import hashlib
import io
import os
import random
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from builder.build import wheel_layer
from builder.errors import InputError
from builder.render.dockerfile import CLAMP
from tests.build.test_hostile_wheels import CASES, INFO, NAME, REFUSED, Wheel, packed

UV = Path(sys.executable).with_name("uv")


def layer(wheel: Path) -> bytes:
    out = io.BytesIO()
    wheel_layer.write(wheel, "3.11", out.write)
    return out.getvalue()


def listed(data: bytes) -> list[tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return tar.getmembers()


def everything() -> bytes:
    """A wheel with one file of each kind that there is."""
    made = Wheel().add("odd/__init__.py", b"").add("odd/program.so", b"\x7fELF", 0o100755).add("odd/ü.txt", b"u")
    made.add("odd/__pycache__/x.cpython-311.pyc", b"foreign").add("odd/" + "long" * 40 + ".py", b"y = 2\n")
    made.add("odd-1.0.data/data/share/odd.txt", b"shared").add("odd-1.0.data/headers/odd.h", b"#define ODD")
    made.add("odd-1.0.data/scripts/odd-shell", b"#!/bin/sh\necho odd\n", 0o100644)
    made.add("odd-1.0.data/scripts/odd-python", b"#!python\nprint('odd')\n", 0o100755)
    made.add("odd-1.0.data/purelib/odd_pure.py", b"p = 1\n").add("odd-1.0.data/platlib/odd_plat.py", b"q = 1\n")
    made.add(f"{INFO}/entry_points.txt", b"[console_scripts]\nodd = odd:main.run\n[gui_scripts]\nodd-g = odd:x\n")
    return made.packed()


@pytest.mark.parametrize("case", CASES)
def test_what_is_odd_is_refused_or_stays_inside(case: str, tmp_path: Path) -> None:
    wheel = tmp_path / NAME
    wheel.write_bytes(packed(case))
    _, by_uv, said = CASES[case]
    if said or by_uv == REFUSED:
        with pytest.raises(InputError) as caught:
            wheel_layer.write(wheel, "3.11", lambda piece: None)
        assert caught.value.where == str(wheel)
        return
    for member in listed(layer(wheel)):
        assert member.isreg() or member.isdir()
        assert member.name.split("/")[:2] == ["opt", "venv"] or member.name == "opt"
        assert ".." not in member.name.split("/")
        assert member.mode in (0o755, 0o644)


@pytest.mark.parametrize("what", ["odd/x.py", f"{INFO}/WHEEL"])
def test_a_broken_member_is_told(what: str, tmp_path: Path) -> None:
    wheel = tmp_path / NAME
    wheel.write_bytes(Wheel().add("odd/x.py", bytes(range(256)) * 40).packed())
    with zipfile.ZipFile(wheel) as archive:
        at = archive.getinfo(what).header_offset + 30 + len(what) + 2
    data = bytearray(wheel.read_bytes())
    data[at] ^= 255
    wheel.write_bytes(data)
    with pytest.raises(InputError, match="cannot be laid out"):
        wheel_layer.write(wheel, "3.11", lambda piece: None)


def test_the_same_bytes_always_and_as_many_as_foretold(tmp_path: Path) -> None:
    """The digest is written down: where a library lays wheels out otherwise, render/ready.py needs another recipe."""
    wheel = tmp_path / NAME
    wheel.write_bytes(everything())
    data = layer(wheel)
    os.utime(wheel, (1, 1))
    assert layer(wheel) == data
    assert wheel_layer.size(wheel, "3.11") == len(data)
    assert {member.mtime for member in listed(data)} == {int(CLAMP[1:])}
    assert {(member.uid, member.gid, member.uname) for member in listed(data)} == {(0, 0, "")}
    assert hashlib.sha256(data).hexdigest() == "4a68947f6a5dd708b70cf2814d5fbfa510b92fb6d93855c735f2cc8b294a1a3f"


def test_the_files_are_those_that_uv_installs(tmp_path: Path) -> None:
    wheel = tmp_path / NAME
    wheel.write_bytes(everything())
    venv = tmp_path / "opt" / "venv"
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    environment = {"PATH": os.environ["PATH"], "UV_NO_CONFIG": "1", "UV_OFFLINE": "1", "HOME": str(tmp_path)}
    for words in (
        ["venv", "--python", sys.executable, str(venv)],
        ["pip", "install", "--python", str(venv / "bin" / "python"), "--no-cache", "--no-deps", str(wheel)],
    ):
        subprocess.run([str(UV), *words], env=environment, check=True, capture_output=True)
    with tarfile.open(fileobj=io.BytesIO(b"".join(_pieces(wheel, python)))) as tar:
        ours = {one.name: (one.mode, _read(tar, one)) for one in tar if one.isfile()}
    theirs = {}
    for path in venv.rglob("*"):
        name = f"opt/venv/{path.relative_to(venv)}"
        if path.is_file() and not path.is_symlink() and "odd" in name:
            theirs[name] = (path.stat().st_mode & 0o777, path.read_bytes().replace(str(venv).encode(), b"/opt/venv"))
    notes = {name for name in theirs if name.endswith(("/direct_url.json", "/uv_cache.json", ".pyc"))}
    assert set(ours) == set(theirs) - notes
    written = {"bin/odd", "bin/odd-g", f"site-packages/{INFO}/RECORD", f"site-packages/{INFO}/INSTALLER"}
    for name, (mode, data) in ours.items():
        assert mode == theirs[name][0], name
        assert data == theirs[name][1] or name.endswith(tuple(written)), name
    rows = next(ours[name][1] for name in ours if name.endswith("RECORD")).decode().splitlines()
    assert sorted(row.split(",")[0] for row in rows) == sorted(
        os.path.relpath(name, f"opt/venv/lib/python{python}/site-packages") for name in ours
    )


def _pieces(wheel: Path, python: str) -> list[bytes]:
    found: list[bytes] = []
    wheel_layer.write(wheel, python, found.append)
    return found


def _read(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    stream = tar.extractfile(member)
    return stream.read() if stream else b""


def test_an_entry_point_runs_what_it_names(tmp_path: Path) -> None:
    wheel = tmp_path / NAME
    wheel.write_bytes(
        Wheel().add(f"{INFO}/entry_points.txt", b"[console_scripts]\nodd = odd:print.__call__\n").packed()
    )
    with tarfile.open(fileobj=io.BytesIO(layer(wheel))) as tar:
        text = _read(tar, tar.getmember("opt/venv/bin/odd")).decode()
    assert text.startswith("#!/opt/venv/bin/python\n")
    assert "from odd import print" in text and "sys.exit(print.__call__())" in text


def test_a_large_member_is_never_held_in_memory(tmp_path: Path) -> None:
    """400 MB of zeros and 100 MB of noise: as they are packed well and not at all."""
    wheel = tmp_path / NAME
    noise = random.Random(1).randbytes(1 << 20)
    wheel.write_bytes(Wheel().packed())
    with zipfile.ZipFile(wheel, "a", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        with archive.open(zipfile.ZipInfo("odd/noise.bin"), "w", force_zip64=True) as out:
            for _ in range(100):
                out.write(noise)
        info = zipfile.ZipInfo("odd/zeros.bin")
        info.compress_type = zipfile.ZIP_DEFLATED
        with archive.open(info, "w", force_zip64=True) as out:
            for _ in range(95):
                out.write(bytes(1 << 20))
    code = (
        "import resource, sys; from pathlib import Path; from builder.build import wheel_layer\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "wheel_layer.write(Path(sys.argv[1]), '3.11', lambda piece: None)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(wheel)], check=True, capture_output=True, text=True)
    assert int(done.stdout) < 30_000  # kB
