"""The memory this process may really use, and how many frames go into one batch. Standard library alone.

A container's limit is its cgroup's, not the machine's: psutil and /proc/meminfo speak of the machine. Units: bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

VARIABLE = "LIVE_PORTRAIT_BATCH_SIZE"
GB = 10**9  # as machines are sold: one of 64 GB has some 62 GiB left for programs
TABLE = ((64, 200), (32, 100), (16, 50), (8, 25))  # GB and frames, of the users' note; below 8 GB in proportion
MOST_USED = 0.9
LEAST_FREE = 2 * GB
_NO_LIMIT = 1 << 60  # cgroup v1 writes the largest number of pages for "no limit"


@dataclass(frozen=True)
class Memory:
    """limit: the smallest of all. free: the least of what is left under each of them. source: whose limit it is."""

    limit: int
    free: int
    source: str

    @property
    def short(self) -> bool:
        """Whether over 90 % is in use or under 2 GB is free."""
        return self.limit - self.free > MOST_USED * self.limit or self.free < LEAST_FREE


def batch_size(limit: int) -> int:
    """Frames a batch for a limit in bytes: the table's step, below it in proportion, at least 1."""
    for gigabytes, frames in TABLE:
        if limit >= gigabytes * GB:
            return frames
    gigabytes, frames = TABLE[-1]
    return max(1, limit * frames // (gigabytes * GB))


def measured(root: Path = Path("/")) -> Memory:
    """The memory of this process: cgroup v2 and v1, each with its parents, and the machine.

    root: where proc/ and sys/ are. Raises OSError or ValueError where /proc/meminfo is not to be read.
    """
    machine = _numbers(root / "proc/meminfo")
    total = machine["MemTotal:"] * 1024
    found = [Memory(total, machine.get("MemAvailable:", machine["MemFree:"]) * 1024, "machine"), *_cgroups(root)]
    tightest = min(found, key=lambda one: one.limit)
    free = min(one.free for one in found)
    return Memory(tightest.limit, max(0, min(free, tightest.limit)), tightest.source)


def _cgroups(root: Path) -> list[Memory]:
    """Every limit that holds for this process, its own cgroup's and its parents'."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        number, controllers, path = line.split(":", 2)
        if number == "0" and not controllers:
            names = ("memory.max", "memory.current", "inactive_file", "cgroup v2")
            # a hybrid machine mounts version 2 aside
            tops = [root / "sys/fs/cgroup", root / "sys/fs/cgroup/unified"]
        elif "memory" in controllers.split(","):
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file", "cgroup v1")
            tops = [root / "sys/fs/cgroup/memory"]
        else:
            continue
        found += [one for top in tops for folder in _upwards(top, path) if (one := _limit(folder, *names))]
    return found


def _upwards(top: Path, path: str) -> list[Path]:
    """The folder of a cgroup and of each of its parents up to the mount.

    In a container the mount may be the container's own cgroup while `path` is the machine's: then the mount is it.
    """
    parts = [part for part in path.split("/") if part]
    if ".." in parts or not top.joinpath(*parts).is_dir():
        parts = []
    return [top.joinpath(*parts[:count]) for count in range(len(parts), -1, -1)]


def _limit(folder: Path, maximum: str, current: str, reclaimable: str, source: str) -> Memory | None:
    """One cgroup's limit and what is free under it; None where it has none. File caches count as free."""
    try:
        limit = (folder / maximum).read_text().strip()
        if limit == "max" or int(limit) >= _NO_LIMIT:
            return None
        used = int((folder / current).read_text())
        cache = _numbers(folder / "memory.stat").get(reclaimable, 0)
    except (OSError, ValueError):
        return None
    return Memory(int(limit), max(0, int(limit) - max(0, used - cache)), source)


def _numbers(path: Path) -> dict[str, int]:
    """The lines `NAME NUMBER …` of a file."""
    rows = (line.split() for line in path.read_text().splitlines())
    return {row[0]: int(row[1]) for row in rows if len(row) > 1}
