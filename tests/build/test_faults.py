"""What may go wrong while a build runs: a kill, a second run beside it, an engine that goes away."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from builder.engine.client import Engine
from tests.conftest import IMAGES, REPO, cli, document, uncached, write_stack
from tests.private_engine import private_engine

# Byte-compiling its 1500 files takes seconds, long enough to be in the middle of it.
LONG = ["sympy==1.14.0"]


@contextmanager
def building(folder: Path, name: str, env: Mapping[str, str] | None = None) -> Iterator[subprocess.Popen[str]]:
    """A real build of a long stack that is in the middle of installing its wheels."""
    document(cli("--json", "--stacks", str(folder), "lock", name))
    document(cli("--json", "--stacks", str(folder), "fetch", name))
    with subprocess.Popen(
        [sys.executable, "-m", "builder", "--json", "--stacks", str(folder), "build", name],
        cwd=REPO,
        env={**os.environ, **(env or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as child:
        assert child.stderr is not None
        for line in child.stderr:
            if "[wheels-layer" in line:
                break
        yield child


def test_a_killed_build_leaves_nothing_broken_and_the_next_one_finishes(tiny: Path, engine: Engine) -> None:
    write_stack(tiny, "killed", packages=LONG, extra=uncached())
    with building(tiny, "killed") as child:
        os.killpg(child.pid, signal.SIGKILL)
    assert child.returncode == -signal.SIGKILL
    assert engine.image(f"{IMAGES}/killed:latest") is None
    again = document(cli("--json", "--stacks", str(tiny), "build", "killed"))["images"][0]
    assert again["built"] is True
    engine.run(["run", "--rm", "--network", "none", again["tag"], "python", "-c", "import sympy"])


def test_two_builds_at_once_build_once(tiny: Path, engine: Engine) -> None:
    write_stack(tiny, "twice", packages=LONG, extra=uncached())
    with building(tiny, "twice") as first:
        second = document(cli("--json", "--stacks", str(tiny), "build", "twice"))["images"][0]
        out, err = first.communicate(timeout=300)
    assert first.returncode == 0, err
    one = json.loads(out)["images"][0]
    assert (one["built"], second["built"]) == (True, False)
    assert one["id"] == second["id"]


@pytest.mark.heavy  # 42 s; test_engine_stops.py stops one in mid-build too
def test_an_engine_that_stops_in_the_middle_is_named_and_the_build_goes_through_once_it_is_back(
    tiny: Path, tmp_path: Path
) -> None:
    write_stack(tiny, "stopped", packages=LONG, extra=uncached())
    with private_engine("overlay2", tmp_path) as other:
        host = {"DOCKER_HOST": other.host}
        with building(tiny, "stopped", env=host) as child:
            os.kill(other.pid, signal.SIGKILL)
            out, err = child.communicate(timeout=120)
        assert child.returncode == 3, err
        error = json.loads(out)["errors"][0]
        assert error["problem"] == "the engine went away during the build"
        assert "make engine" in error["fix"]
    with private_engine("overlay2", tmp_path) as other:
        done = cli("--json", "--stacks", str(tiny), "build", "stopped", env={"DOCKER_HOST": other.host})
        assert document(done)["images"][0]["built"] is True


def flipped(good: bytes) -> bytes:
    """One bit in the middle is another: some member cannot be unpacked."""
    middle = len(good) // 2
    return good[:middle] + bytes([good[middle] ^ 1]) + good[middle + 1 :]


def exchanged(good: bytes) -> bytes:
    """A whole and valid wheel, but not the locked one: the first member's time of day is another."""
    return good[:10] + bytes([good[10] ^ 1]) + good[11:]


@pytest.mark.parametrize(
    ("damage", "words"),
    [(flipped, "Failed to download `colorama==0.4.6`"), (exchanged, "Hash mismatch for `colorama==0.4.6`")],
)
def test_a_wheel_that_changes_after_its_check_is_refused_by_the_build(
    tiny: Path, tmp_path: Path, engine: Engine, damage: Callable[[bytes], bytes], words: str
) -> None:
    """The wheelhouse is checked by fetch; a file that rots between fetch and build must not get in."""
    write_stack(tiny, "rotten", packages=["colorama==0.4.6"])
    # A wheelhouse of its own: a file damaged in place takes every hard link to it along.
    (tmp_path / "assets").symlink_to(REPO / "assets")
    here = {"MODELSTACKS_HOME": str(tmp_path)}
    document(cli("--json", "--stacks", str(tiny), "lock", "rotten", env=here))
    document(cli("--json", "--stacks", str(tiny), "fetch", "rotten", env=here))
    wheel = tmp_path / "wheels" / "colorama-0.4.6-py2.py3-none-any.whl"
    good, times = wheel.read_bytes(), wheel.stat()
    wheel.write_bytes(damage(good))
    os.utime(wheel, ns=(times.st_atime_ns, times.st_mtime_ns))
    done = cli("--json", "--stacks", str(tiny), "build", "rotten", env=here)
    assert done.returncode == 1
    assert words in json.loads(done.stdout)["errors"][0]["why"]
    assert engine.image(f"{IMAGES}/rotten:latest") is None
    again = cli("--json", "--stacks", str(tiny), "fetch", "rotten", "--verify", env=here)
    assert document(again)["stacks"]["rotten"]["fetched"] == [wheel.name]
    assert wheel.read_bytes() == good
