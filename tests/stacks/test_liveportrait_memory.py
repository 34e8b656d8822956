"""LivePortrait's start: what it reads of a container's memory, on trees made on disk and in containers with a limit."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from builder.engine.client import Engine
from tests.conftest import IMAGES, REPO

START = REPO / "stacks" / "liveportrait" / "files"
GB = 10**9
GIB = 1 << 30


@pytest.fixture(scope="module")
def memory() -> ModuleType:
    """liveportrait_start.memory, as the image has it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(START))
        return importlib.import_module("liveportrait_start.memory")


def tree(root: Path, files: dict[str, object], *, total: int = 64 * GIB, free: int = 60 * GIB) -> Path:
    """A machine's proc/ and sys/ below a folder."""
    meminfo = f"MemTotal: {total // 1024} kB\nMemFree: 1 kB\nMemAvailable: {free // 1024} kB\n"
    for name, text in {"proc/meminfo": meminfo, **files}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")
    return root


def v2(folder: str, limit: object, used: int = 0, cache: int = 0) -> dict[str, object]:
    top = f"sys/fs/cgroup/{folder}".rstrip("/")
    stat = f"anon {used - cache}\ninactive_file {cache}"
    return {f"{top}/memory.max": limit, f"{top}/memory.current": used, f"{top}/memory.stat": stat}


def v1(folder: str, limit: int, used: int = 0, cache: int = 0) -> dict[str, object]:
    top = f"sys/fs/cgroup/memory/{folder}".rstrip("/")
    return {
        f"{top}/memory.limit_in_bytes": limit,
        f"{top}/memory.usage_in_bytes": used,
        f"{top}/memory.stat": f"inactive_file 0\ntotal_inactive_file {cache}",
    }


@pytest.mark.parametrize(
    ("limit", "frames"),
    [
        (1024 * GB, 200),
        (64 * GB, 200),
        (64 * GB - 1, 100),
        (32 * GB, 100),
        (16 * GB, 50),
        (8 * GB, 25),
        (8 * GB - 1, 24),
        (4 * GB, 12),
        (1 * GB, 3),
        (1, 1),
    ],
)
def test_the_batch_is_that_of_the_notes_table(memory: ModuleType, limit: int, frames: int) -> None:
    assert memory.batch_size(limit) == frames


CASES: dict[str, tuple[dict[str, object], int, str]] = {
    "no cgroup at all": ({}, 64 * GIB, "machine"),
    "version 2, the mount is the container's": (
        {"proc/self/cgroup": "0::/", **v2("", 8 * GIB)},
        8 * GIB,
        "cgroup v2",
    ),
    "version 2, the mount is the machine's": (
        {"proc/self/cgroup": "0::/docker/abc", **v2("docker/abc", 8 * GIB), **v2("docker", "max")},
        8 * GIB,
        "cgroup v2",
    ),
    "version 2, a parent is tighter": (
        {"proc/self/cgroup": "0::/pod/abc", **v2("pod/abc", 32 * GIB), **v2("pod", 16 * GIB)},
        16 * GIB,
        "cgroup v2",
    ),
    "version 2 without a limit": ({"proc/self/cgroup": "0::/", **v2("", "max")}, 64 * GIB, "machine"),
    "version 2, a path outside the mount": (
        {"proc/self/cgroup": "0::/../../other", **v2("", 4 * GIB)},
        4 * GIB,
        "cgroup v2",
    ),
    "version 1, the mount is the container's": (
        {"proc/self/cgroup": "4:cpu,cpuacct:/docker/abc\n3:memory:/docker/abc", **v1("", 8 * GIB)},
        8 * GIB,
        "cgroup v1",
    ),
    "version 1, a parent is tighter": (
        {"proc/self/cgroup": "3:memory:/a/b", **v1("a/b", 16 * GIB), **v1("a", 2 * GIB), **v1("", 1 << 63)},
        2 * GIB,
        "cgroup v1",
    ),
    "version 1 without a limit": (
        {"proc/self/cgroup": "3:memory:/", **v1("", 9223372036854771712)},
        64 * GIB,
        "machine",
    ),
    "version 1 beside an empty version 2": (
        {"proc/self/cgroup": "3:memory:/\n0::/", **v1("", 8 * GIB)},
        8 * GIB,
        "cgroup v1",
    ),
    "a limit above the machine's memory": (
        {"proc/self/cgroup": "0::/", **v2("", 512 * GIB)},
        64 * GIB,
        "machine",
    ),
    "a limit that is no number": ({"proc/self/cgroup": "0::/", **v2("", "lots")}, 64 * GIB, "machine"),
}


@pytest.mark.parametrize("case", CASES)
def test_the_limit_is_the_tightest_one(memory: ModuleType, case: str, tmp_path: Path) -> None:
    files, limit, source = CASES[case]
    found = memory.measured(tree(tmp_path, files))
    assert (found.limit, found.source) == (limit, source)


@pytest.mark.parametrize(
    ("used", "cache", "short"),
    [
        (13 * GIB, 0, False),
        (15 * GIB, 0, True),  # over 90 % and under 2 GB
        (int(14.3 * GIB), 0, True),  # under 2 GB alone
        (15 * GIB, 8 * GIB, False),  # what only caches files is given back
    ],
)
def test_memory_is_short_over_90_percent_or_under_2_gb(
    memory: ModuleType, used: int, cache: int, short: bool, tmp_path: Path
) -> None:
    found = memory.measured(tree(tmp_path, {"proc/self/cgroup": "0::/", **v2("", 16 * GIB, used, cache)}))
    assert found.short is short


def test_memory_is_short_over_90_percent_of_a_large_machine(memory: ModuleType, tmp_path: Path) -> None:
    found = memory.measured(tree(tmp_path, {}, total=64 * GIB, free=6 * GIB))
    assert found.free > 2 * GB
    assert found.short is True


def test_a_full_machine_leaves_a_wide_container_short(memory: ModuleType, tmp_path: Path) -> None:
    files = {"proc/self/cgroup": "0::/", **v2("", 32 * GIB, 1 * GIB)}
    found = memory.measured(tree(tmp_path, files, free=1 * GIB))
    assert (found.limit, found.free, found.short) == (32 * GIB, 1 * GIB, True)


def start(*words: str, **env: str) -> subprocess.CompletedProcess[str]:
    """The entry point on this machine."""
    command = [sys.executable, "-m", "liveportrait_start", *words]
    own = {"PYTHONPATH": str(START), "PATH": "/usr/bin:/bin", **env}
    return subprocess.run(command, env=own, capture_output=True, text=True, check=False, timeout=60)


def test_without_a_program_it_says_how_to_start() -> None:
    done = start()
    assert done.returncode == 2
    assert "inference.py -s SOURCE" in done.stderr


def test_a_program_that_is_not_there_is_named() -> None:
    done = start("no-such-program")
    assert (done.returncode, "no-such-program cannot be started" in done.stderr) == (127, True)


def test_the_users_value_wins() -> None:
    done = start("printenv", "LIVE_PORTRAIT_BATCH_SIZE", LIVE_PORTRAIT_BATCH_SIZE="10")
    assert done.stdout == "10\n"
    assert "10 frames a batch, set by the user" in done.stderr


@pytest.mark.parametrize("value", ["0", "-3", "ten", "1.5", "¹"])
def test_a_users_value_that_is_none_is_refused(value: str) -> None:
    done = start("printenv", LIVE_PORTRAIT_BATCH_SIZE=value)
    assert done.returncode == 1
    assert "is no whole number from 1 on" in done.stderr


def contained(engine: Engine, limit: str, *words: str, env: str = "") -> subprocess.CompletedProcess[str]:
    """The entry point in a container with a memory limit."""
    options = ["--rm", "--network", "none", "--memory", limit, "--volume", f"{START}:/opt/liveportrait:ro"]
    options += ["--env", "PYTHONPATH=/opt/liveportrait", *(["--env", env] if env else [])]
    python = ["--entrypoint", "/opt/venv/bin/python", f"{IMAGES}/tiny", "-m", "liveportrait_start"]
    return engine.run(["run", *options, *python, *words], check=False)


def machine() -> int:
    return int(Path("/proc/meminfo").read_text().split()[1]) * 1024


@pytest.mark.parametrize(("limit", "size"), [("8g", 8 * GIB), ("1g", 1 * GIB)])
def test_a_container_gets_the_batch_of_its_own_limit(
    engine: Engine, tiny: Path, memory: ModuleType, limit: str, size: int
) -> None:
    done = contained(engine, limit, "printenv", "LIVE_PORTRAIT_BATCH_SIZE")
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) == memory.batch_size(min(size, machine()))
    if size <= machine():
        assert int(done.stdout) == {"8g": 25, "1g": 3}[limit]
        assert f"memory limit {size / GB:.1f} GB (cgroup v" in done.stderr


def test_a_small_container_is_warned_and_a_wide_one_is_not(engine: Engine, tiny: Path) -> None:
    assert "warning: " in contained(engine, "1g", "true").stderr
    if machine() > 8 * GIB and int(Path("/proc/meminfo").read_text().split()[7]) * 1024 > 4 * GIB:
        assert "warning: " not in contained(engine, "8g", "true").stderr


def test_the_users_value_wins_in_a_container(engine: Engine, tiny: Path) -> None:
    done = contained(engine, "1g", "printenv", "LIVE_PORTRAIT_BATCH_SIZE", env="LIVE_PORTRAIT_BATCH_SIZE=7")
    assert done.stdout == "7\n"
