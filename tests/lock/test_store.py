"""Lock files on disk: what is written is read back, installers take it, and a damaged one is refused with its cure."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import tomli
from packaging.pylock import Pylock

from builder.errors import InputError
from builder.files import sha256_text
from builder.lock import Artifact, LockedBase, LockedIndex, StackLock, read, store
from builder.origin import Origin
from tests.conftest import REPO
from tests.lock.conftest import wheel


def artifact(kind: str, filename: str, data: bytes = b"x", **keys: str) -> Artifact:
    said: dict[str, Any] = {"project": "alpha", "version": "1.0"} | keys
    said["origin"] = Origin.parse(keys.get("origin", "index:default"))
    return Artifact(kind=kind, filename=filename, size=len(data), sha256=hashlib.sha256(data).hexdigest(), **said)  # type: ignore[arg-type]


def everything() -> StackLock:
    """A lock that uses each part; its wheels are alpha and beta of `wheel`."""
    git = "git+https://example.org/code@" + "a" * 40
    return StackLock(
        stack="one",
        inputs="1" * 64,
        epoch=1_700_000_000,
        python="3.11",
        platform="x86_64-manylinux_2_36",
        indexes={"own": LockedIndex(url="https://example.org/simple/", find_links=False)},
        base=LockedBase(
            kind="bootstrap",
            distribution="debian",
            include=("python3", "libstdc++6"),
            epoch=1_600_000_000,
            debs=(artifact("deb", "a_1%3a2.0~x+b1_all.deb", origin="archive:debian/pool/a.deb", version="1:2.0~x+b1"),),
        ),
        wheels=(
            artifact("wheel", *wheel("alpha", "1.0"), project="alpha"),
            artifact("wheel", *wheel("beta", "2.0+cu1"), project="beta", version="2.0+cu1", origin="index:own"),
        ),
        debs=(artifact("deb", "g++_12_amd64.deb", origin="archive:debian/pool/g++.deb", project="g++"),),
        tools=(artifact("tool", "uv-1-py3-none-any.whl", project="uv"),),
        sources=(artifact("source", "code-aaaaaaaaaaaa.tar", project="code", origin=git, version="a" * 40),),
        weights=(artifact("weight", "0-net.bin", project="net.bin", origin="https://example.org/net.bin?x=1"),),
        digest="",
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder stacks/one of a checkout, holding the lock of everything()."""
    path = tmp_path / "stacks" / "one"
    store.write(path, everything())
    return path


def test_what_is_written_is_read_back(folder: Path) -> None:
    lock = read(folder)
    assert replace(lock, digest="") == everything()
    assert lock.digest == hashlib.sha256((folder / "stack.lock").read_bytes()).hexdigest()
    before = (folder / "stack.lock").read_bytes(), (folder / "pylock.toml").read_bytes()
    assert store.write(folder, lock) == lock
    assert before == ((folder / "stack.lock").read_bytes(), (folder / "pylock.toml").read_bytes())


def test_an_sdist_is_read_back_as_one(tmp_path: Path) -> None:
    lock = replace(everything(), wheels=(artifact("sdist", "alpha-1.0.tar.gz"),))
    assert store.write(tmp_path / "one", lock).wheels == lock.wheels


def test_pylock_is_what_the_standard_says(folder: Path) -> None:
    pylock = Pylock.from_dict(tomli.loads((folder / "pylock.toml").read_text()))
    pylock.validate()
    assert [package.name for package in pylock.packages] == ["alpha", "beta"]
    assert [package.index for package in pylock.packages] == [None, "https://example.org/simple/"]


def uv_install(folder: Path, target: Path) -> subprocess.CompletedProcess[str]:
    from uv import find_uv_bin

    command = [find_uv_bin(), "pip", "install", "--offline", "--no-index", "--no-cache", "--no-config"]
    command += ["--preview-features", "pylock", "--python", sys.executable, "--python-version", "3.11"]
    command += ["--target", str(target), "--requirements", str(folder / "pylock.toml")]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_uv_installs_from_the_lock_offline_and_refuses_another_file(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "wheels").mkdir()
    for name, version in (("alpha", "1.0"), ("beta", "2.0+cu1")):
        file, data = wheel(name, version)
        (tmp_path / "wheels" / file).write_bytes(data)
    done = uv_install(folder, tmp_path / "good")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "good" / "alpha.py").read_text() == "version = '1.0'\n"
    assert (tmp_path / "good" / "beta.py").exists()
    file, data = wheel("alpha", "1.0")
    other = wheel("alpha", "1.0", tag="py2-none-any")[1]
    assert len(other) == len(data)
    (tmp_path / "wheels" / file).write_bytes(other)
    done = uv_install(folder, tmp_path / "bad")
    assert done.returncode != 0
    assert "Hash mismatch for `alpha" in done.stderr


def refused(folder: Path) -> InputError:
    with pytest.raises(InputError) as caught:
        read(folder)
    assert caught.value.fix == "run `make lock STACK=one`"
    return caught.value


def test_a_missing_lock_is_told(tmp_path: Path, folder: Path) -> None:
    (folder / "pylock.toml").unlink()
    error = refused(folder)
    assert (error.problem, error.where) == ("it is missing", str(folder / "pylock.toml"))
    (folder / "stack.lock").unlink()
    error = refused(folder)
    assert (error.problem, error.where) == ("stack one has no lock yet", str(folder / "stack.lock"))


@pytest.mark.parametrize("name", ["stack.lock", "pylock.toml"])
def test_a_truncated_lock_is_told(folder: Path, name: str) -> None:
    path = folder / name
    path.write_text(path.read_text()[:150])
    error = refused(folder)
    assert error.problem.startswith("it is not TOML: ")
    assert error.where == str(path)


def test_a_lock_of_another_version_is_told(folder: Path) -> None:
    path = folder / "stack.lock"
    path.write_text(path.read_text().replace("version = 1\n", "version = 9\n"))
    error = refused(folder)
    assert (error.problem, error.where) == ("it is a lock of version 9, this program reads 1", str(path))


def test_an_edited_pylock_is_refused(folder: Path) -> None:
    path = folder / "pylock.toml"
    path.write_text(path.read_text().replace('version = "1.0"', 'version = "1.1"', 1))
    error = refused(folder)
    assert (error.problem, error.where) == ("the two lock files do not belong together", str(path))
    assert error.why == "stack.lock was made with another pylock.toml; one of them was edited or not committed"


@pytest.mark.parametrize(
    ("before", "after", "line", "problem"),
    [
        ("[routes]", "[roads]", 0, "routes: it is missing"),
        ('file = "0-net.bin"', 'file = "../net.bin"', 22, "weights[0].file: '../net.bin' is not a file name"),
        ('file = "0-net.bin"', 'file = ".net.bin"', 22, "weights[0].file: '.net.bin' is not a file name"),
        ('name = "g++"', 'name = "g++ && reboot"', 13, "debs[0].name: 'g++ && reboot' is not the name of a system"),
        ('version = "1:2.0~x+b1"', 'version = "1\\nRUN x"', 16, r"base-debs[0].version: '1\nRUN x' is not a name or"),
        ('sha256 = "', 'sha256 = "z', 10, "tools[0].sha256: 'z2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db"),
        ("size = 1,", "size = -1,", 10, "tools[0].size: Input should be greater than or equal to 0"),
        ("debs = [", "debs = 3 #", 12, "debs: it is the number 3 where a list belongs"),
    ],
)
def test_a_damaged_lock_is_refused(folder: Path, before: str, after: str, line: int, problem: str) -> None:
    path = folder / "stack.lock"
    assert before in path.read_text()
    text = path.read_text().replace(before, after, 1)
    path.write_text(text if "3 #" not in after else text.replace(text.split("3 #")[1].split("base-debs")[0], "\n", 1))
    error = refused(folder)
    assert error.problem.startswith(problem)
    assert error.where == (f"{path}:{line}" if line else str(path))


def test_a_hostile_pylock_that_belongs_to_its_lock_is_refused(folder: Path) -> None:
    pylock, path = folder / "pylock.toml", folder / "stack.lock"
    before = sha256_text(pylock.read_text())
    pylock.write_text(pylock.read_text().replace('name = "alpha-1.0-py3-none-any.whl"', 'name = "../../evil.whl"'))
    path.write_text(path.read_text().replace(before, sha256_text(pylock.read_text())))
    error = refused(folder)
    assert error.problem == "packages[0].wheels[0].name: '../../evil.whl' is not a file name"
    assert error.where == f"{pylock}:10"


def test_the_shipped_locks_are_as_this_program_writes_them(tmp_path: Path) -> None:
    found = sorted((REPO / "stacks").glob("*/stack.lock"))
    assert found
    for path in found:
        store.write(tmp_path / path.parent.name, read(path.parent))
        for name in ("stack.lock", "pylock.toml"):
            assert (tmp_path / path.parent.name / name).read_text() == (path.parent / name).read_text()
