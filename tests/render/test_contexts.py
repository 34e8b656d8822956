"""The named contexts of a build: exactly the files of the lock, shared by links where that is possible."""

from __future__ import annotations

import hashlib
import os
import subprocess
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from builder.errors import InputError, SurroundingsError
from builder.lock import Artifact, StackLock
from builder.origin import Origin
from builder.render import Rendered, render
from builder.render.debs import package_list
from builder.settings import Settings
from builder.spec.model import Stack
from tests.render.conftest import fetched


@pytest.fixture
def ready(lock: StackLock, settings: Settings) -> StackLock:
    """The lock, its files in place, with a uv wheel to unpack; without system packages."""
    (tool,) = lock.tools
    path = settings.home / "wheels" / tool.filename
    path.parent.mkdir(parents=True)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("uv-1.data/scripts/uv", "#!/bin/sh\n")
        archive.writestr("uv-1.dist-info/METADATA", "Name: uv\n")
    tool = replace(tool, size=path.stat().st_size, sha256=hashlib.sha256(path.read_bytes()).hexdigest())
    return replace(fetched(lock, settings), tools=(tool,))


def tree(folder: Path) -> dict[str, set[str]]:
    return {path.name: {item.name for item in path.iterdir()} for path in sorted(folder.iterdir())}


def expected(ready: StackLock) -> dict[str, set[str]]:
    names = {item.project: item.filename for item in ready.wheels}
    return {
        "empty": set(),
        "sources": {item.filename for item in ready.sources},
        "weights": {item.filename for item in ready.weights},
        "wheels": {names["alpha"], names["beta"], "requirements.txt"},
        "wheels-big": {names["big"], "requirements.txt"},
        "wheels-large": {names["middle"], "requirements.txt"},
    }


def test_contexts_hold_links_to_exactly_the_files_of_the_lock(
    stack: Stack, ready: StackLock, settings: Settings
) -> None:
    rendered = render(stack, ready, settings)
    assert tree(rendered.folder / "contexts") == expected(ready)
    assert rendered.contexts.keys() == expected(ready).keys() - {"empty"} | {"uv"}
    for item in ready.wheels[:2]:
        assert (rendered.contexts["wheels"] / item.filename).samefile(settings.home / "wheels" / item.filename)
    lines = (rendered.contexts["wheels"] / "requirements.txt").read_text().splitlines()
    alpha, beta = ready.wheels[:2]
    assert lines == [f"alpha==1.0 --hash=sha256:{alpha.sha256}", f"beta==2.0+cu1 --hash=sha256:{beta.sha256}"]
    assert rendered.document() == {
        "dockerfile": str(rendered.dockerfile),
        "contexts": ["sources", "uv", "weights", "wheels", "wheels-big", "wheels-large"],
    }


def test_what_an_earlier_lock_left_goes_away(stack: Stack, ready: StackLock, settings: Settings) -> None:
    render(stack, ready, settings)
    less = stack.model_copy(update={"weights": (), "sources": ()})
    rendered = render(less, replace(ready, wheels=ready.wheels[:1], weights=(), sources=()), settings)
    assert tree(rendered.folder / "contexts") == {
        "empty": set(),
        "wheels": {ready.wheels[0].filename, "requirements.txt"},
    }
    assert (settings.home / "wheels" / ready.wheels[2].filename).exists()


def test_a_second_rendering_touches_nothing_and_a_new_file_is_linked_anew(
    stack: Stack, ready: StackLock, settings: Settings
) -> None:
    context = render(stack, ready, settings).contexts["wheels"]
    alpha = settings.home / "wheels" / ready.wheels[0].filename
    before = {path.name: (path.stat().st_ino, path.stat().st_ctime_ns) for path in context.iterdir()}
    render(stack, ready, settings)
    assert before == {path.name: (path.stat().st_ino, path.stat().st_ctime_ns) for path in context.iterdir()}
    aside = alpha.with_name("new")
    aside.write_bytes(b"fetched again")
    aside.replace(alpha)
    render(stack, ready, settings)
    assert (context / alpha.name).read_bytes() == b"fetched again"


def test_a_file_that_is_not_fetched_is_told_before_anything_is_written(
    stack: Stack, ready: StackLock, settings: Settings
) -> None:
    folder = render(stack, ready, settings).folder
    (folder / "Dockerfile").write_text("as it was")
    path = settings.home / "assets" / "weights" / ready.weights[1].filename
    path.unlink()
    with pytest.raises(InputError) as caught:
        render(stack, ready, settings)
    assert str(caught.value) == (
        f"{path}: 1-net.bin is in the lock but not fetched. Fix: run `make fetch STACK=everything`"
    )
    assert (folder / "Dockerfile").read_text() == "as it was"
    assert tree(folder / "contexts") == expected(ready)


def test_an_sdist_without_a_toolchain_is_refused(stack: Stack, ready: StackLock, settings: Settings) -> None:
    first, *others = ready.wheels
    with pytest.raises(InputError) as caught:
        render(stack, replace(ready, wheels=(replace(first, kind="sdist"), *others)), settings)
    assert caught.value.problem == "alpha is to be compiled, and everything has no toolchain"


def test_uv_is_unpacked_once_even_by_two_stacks_at_once(stack: Stack, ready: StackLock, settings: Settings) -> None:
    found: list[Rendered] = []
    stacks = [stack.model_copy(update={"name": f"s{number}"}) for number in range(4)]
    threads = [threading.Thread(target=lambda s=one: found.append(render(s, ready, settings))) for one in stacks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({one.contexts["uv"] for one in found}) == 1 and len(found) == 4
    program = found[0].contexts["uv"] / "uv"
    assert program.read_text() == "#!/bin/sh\n" and os.access(program, os.X_OK)
    assert [path.name for path in program.parent.iterdir()] == ["uv"]
    before = program.stat().st_ino
    assert render(stack, ready, settings).contexts["uv"] / "uv" == program and program.stat().st_ino == before


def test_two_renderings_of_one_stack_at_once_give_one_whole_build(
    stack: Stack, ready: StackLock, settings: Settings
) -> None:
    less = replace(ready, wheels=ready.wheels[:1])
    failed: list[Exception] = []

    def again(lock: StackLock) -> None:
        try:
            for _ in range(20):
                render(stack, lock, settings)
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=again, args=(lock,)) for lock in (ready, less, ready)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert tree(render(stack, ready, settings).folder / "contexts") == expected(ready)


@pytest.fixture
def tmpfs(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "other"
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", folder], capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip(f"needs the right to mount a tmpfs: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_across_file_systems_files_are_copied_once(
    stack: Stack, ready: StackLock, settings: Settings, tmpfs: Path
) -> None:
    (settings.home / "build").symlink_to(tmpfs)
    context = render(stack, ready, settings).contexts["wheels"]
    source, copy = settings.home / "wheels" / ready.wheels[0].filename, context / ready.wheels[0].filename
    assert copy.read_bytes() == source.read_bytes() and copy.stat().st_dev != source.stat().st_dev
    before = copy.stat().st_ino
    render(stack, ready, settings)
    assert copy.stat().st_ino == before
    source.write_bytes(b"other bytes")
    render(stack, ready, settings)
    assert copy.read_bytes() == b"other bytes"


def make_deb(folder: Path, name: str) -> Artifact:
    """A real .deb of one text file."""
    root = folder / f"{name}-root"
    (root / "DEBIAN").mkdir(parents=True)
    control = f"Package: {name}\nVersion: 1:1.0\nArchitecture: all\nMaintainer: test\nDescription: one\n more words\n"
    (root / "DEBIAN" / "control").write_text(control)
    path = folder / f"{name}_1%3a1.0_all.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "--build", root, path], check=True, capture_output=True)
    data = path.read_bytes()
    sha256 = hashlib.sha256(data).hexdigest()
    return Artifact(
        kind="deb",
        filename=path.name,
        size=len(data),
        sha256=sha256,
        origin=Origin.parse("index:default"),
        project=name,
        version="1:1.0",
    )


def test_debs_become_a_source_that_apt_reads(stack: Stack, ready: StackLock, settings: Settings) -> None:
    (settings.home / "assets" / "debs").mkdir(parents=True)
    debs = tuple(make_deb(settings.home / "assets" / "debs", name) for name in ("one", "two"))
    context = render(stack, replace(ready, debs=debs), settings).contexts["debs"]
    names = {"Packages", "sources.list", "apt.conf"}
    assert {item.name for item in context.iterdir()} == names | {deb.filename for deb in debs}
    stanzas = (context / "Packages").read_text().rstrip("\n").split("\n\n")
    assert [stanza.splitlines()[0] for stanza in stanzas] == ["Package: one", "Package: two"]
    for stanza, deb in zip(stanzas, debs, strict=True):
        assert stanza.splitlines()[-3:] == [
            f"Filename: ./{deb.filename}",
            f"Size: {deb.size}",
            f"SHA256: {deb.sha256}",
        ]


def test_a_host_without_dpkg_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SurroundingsError) as caught:
        package_list(tmp_path, ())
    assert caught.value.fix == "install the package dpkg of your distribution"


@pytest.mark.parametrize("place", ["contexts", "contexts/wheels", "contexts/uv", "contexts/empty"])
def test_through_a_link_no_file_of_others_is_lost(
    place: str, stack: Stack, ready: StackLock, settings: Settings, tmp_path: Path
) -> None:
    others = tmp_path / "others"
    (others / "kept").mkdir(parents=True)
    (others / "mine").write_text("mine")
    link = settings.build / stack.name / place
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(others)
    try:
        render(stack, ready, settings)
    except SurroundingsError as error:
        assert error.where == str(link) and error.fix
    assert sorted(path.name for path in others.iterdir()) == ["kept", "mine"]
    link.unlink(missing_ok=True)
    render(stack, ready, settings)


def test_a_file_among_the_contexts_goes_away(stack: Stack, ready: StackLock, settings: Settings) -> None:
    folder = settings.build / stack.name / "contexts"
    folder.mkdir(parents=True)
    (folder / "left").write_text("x")
    render(stack, ready, settings)
    assert not (folder / "left").exists()
