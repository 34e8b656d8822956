"""What rots between fetch and build (one byte, its size and date kept) is refused by the build, whatever it is."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from builder.build import base as bases
from builder.build import build
from builder.engine.client import Engine
from builder.errors import InputError, JobError, ModelstacksError
from builder.lock import StackLock
from builder.render.folders import uv_program
from builder.spec.model import Stack
from builder.ui import Ui
from tests.build.kit import Ground, ground
from tests.conftest import IMAGES, remove_images


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    with ground(tmp_path_factory.mktemp("rotten")) as found:
        yield found


@pytest.fixture
def made(here: Ground, request: pytest.FixtureRequest, engine: Engine) -> Iterator[tuple[Ground, Stack, StackLock]]:
    """A stack with a weight and two sources (one edited), fetched and verified.

    Each test has one of its own: what the engine has of an earlier context it does not take again.
    """
    salt = request.node.name
    name = re.sub("[^a-z]+", "-", f"rotting-{salt[-20:]}".lower()).strip("-")
    weight = here.site.files[f"{name}.bin"] = f"weight {salt}".encode() * 1000
    plain = here.repository(f"{name}-plain", {"plain.txt": f"source {salt}" * 1000})
    edited = here.repository(f"{name}-edited", {"edited.txt": f"before source {salt}" + "source " * 1000})
    edits = [{"file": "edited.txt", "old": "before", "new": "after"}]
    here.write(
        name,
        sources=[{**plain, "into": "/opt/plain"}, {**edited, "into": "/opt/edited", "edits": edits}],
        weights=[{"url": f"{here.site.url}/files/{name}.bin", "sha256": sha256(weight), "into": "/opt", "name": "net"}],
    )
    yield (here, *here.locked(name))
    remove_images(engine, name)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def own(path: Path) -> None:
    """Make a file a copy: the checkout holds a link to the same bytes, which must not rot."""
    data = path.read_bytes()
    path.unlink()
    path.write_bytes(data)


def rotten(path: Path, at: int) -> bytes:
    """Change one byte of a file, keeping size and date; gives what it was."""
    good, times = path.read_bytes(), path.stat()
    with path.open("r+b") as stream:  # in place: the context of the build holds a link to it
        stream.seek(at)
        stream.write(bytes([good[at] ^ 1]))
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    return good


@pytest.mark.parametrize("what", ["weight", "source", "edited"])
def test_a_rotten_byte_is_refused_by_the_build(
    what: str, made: tuple[Ground, Stack, StackLock], engine: Engine
) -> None:
    here, stack, lock = made
    item = {"weight": lock.weights[0], "source": lock.sources[0], "edited": lock.sources[1]}[what]
    path = here.settings.home / item.folder / item.filename
    good = rotten(path, 2000)
    image, log = f"{IMAGES}/{stack.name}:{what}", here.settings.build / stack.name / "build.log"
    log.unlink(missing_ok=True)
    try:
        with pytest.raises(ModelstacksError) as caught:
            build(stack, lock, here.settings, engine, Ui(), tag=image, use_cache=False)
    finally:
        path.write_bytes(good)
    if what == "edited":
        assert "has other bytes than the lock says" in str(caught.value)
    else:
        assert "1 computed checksum did NOT match" in log.read_text()
    assert engine.image(image) is None


def test_a_rotten_package_is_refused_by_the_bootstrap_of_its_base(
    made: tuple[Ground, Stack, StackLock], tmp_path: Path
) -> None:
    here, _, lock = made
    item = next(one for one in lock.base.debs if one.project == "hostname")
    path = here.settings.home / item.folder / item.filename
    own(path)
    good = rotten(path, 26)  # in the date of a member, which no unpacking minds
    try:
        with pytest.raises(JobError) as caught:
            bases.bootstrap(lock.base, here.settings, tmp_path, Ui())
    finally:
        path.write_bytes(good)
    assert "mmdebstrap could not make the base image" in caught.value.problem


def test_a_rotten_tool_is_unpacked_again(made: tuple[Ground, Stack, StackLock]) -> None:
    here, _, lock = made
    program = uv_program(lock, here.settings) / "uv"
    good = rotten(program, 2000)
    assert uv_program(lock, here.settings) == program.parent
    assert program.read_bytes() == good
    item = lock.tools[0]
    wheel = here.settings.home / item.folder / item.filename
    own(wheel)
    kept = rotten(wheel, 2000)
    program.unlink()
    try:
        with pytest.raises(InputError, match="has other bytes than the lock says"):
            uv_program(lock, here.settings)
    finally:
        wheel.write_bytes(kept)


def test_what_is_whole_is_built(made: tuple[Ground, Stack, StackLock], engine: Engine) -> None:
    here, stack, lock = made
    done = build(stack, lock, here.settings, engine, Ui())
    show = "head -c 7 /opt/net /opt/plain/plain.txt /opt/edited/edited.txt"
    out = engine.run(["run", "--rm", "--network=none", "--entrypoint=/bin/sh", done.id, "-c", show]).stdout
    assert [line for line in out.splitlines() if not line.startswith("==>")] == ["weight ", "source ", "after s"]
