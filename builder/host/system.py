"""The machine without its GPU: its name, memory, cgroup limits and disks. root: where /proc, /sys and /etc are."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from builder.host.model import Disk, Memory

_NO_LIMIT = 1 << 60  # cgroup v1 writes 2**63 rounded down to pages for "none"
ROOT = Path("/")


def name(root: Path = ROOT) -> str:
    """What the distribution calls itself, "" where it does not."""
    found = re.search(r'^PRETTY_NAME="?([^"\n]*)', _text(root / "etc/os-release"), re.MULTILINE)
    return found[1][:100] if found else ""


def kernel(root: Path = ROOT) -> str:
    """The kernel's release."""
    return _text(root / "proc/sys/kernel/osrelease").strip() or os.uname().release


def is_wsl(release: str) -> bool:
    """Whether a kernel's release is that of the Windows Subsystem for Linux."""
    return "microsoft" in release.lower()


def memory(root: Path = ROOT) -> Memory:
    """The machine's memory, and the least of the limits of this process's cgroup and those above it."""
    lines = dict(re.findall(r"^(\w+):\s+(\d+) kB$", _text(root / "proc/meminfo"), re.MULTILINE))
    total = int(lines.get("MemTotal", 0)) * 1024
    limits = [limit for limit in _limits(root) if limit < _NO_LIMIT]
    return Memory(
        total=total,
        available=int(lines.get("MemAvailable", 0)) * 1024,
        limit=min(limits) if limits and min(limits) < total else None,
    )


def _limits(root: Path) -> Iterator[int]:
    """The limits in bytes of all cgroups that this process is in, v2 and v1."""
    base = root / "sys/fs/cgroup"
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controllers == "":
            top, file = base, "memory.max"
        elif "memory" in controllers.split(","):
            top, file = base / "memory", "memory.limit_in_bytes"
        else:
            continue
        inner = Path(os.path.normpath(f"/{path}"))
        for folder in (inner, *inner.parents):
            text = _text(top / str(folder).lstrip("/") / file).strip()
            if text.isdigit():
                yield int(text)


def disk(path: Path) -> Disk:
    """The file system that a folder lies on, or would lie on if it were made."""
    there = next((one for one in (path, *path.absolute().parents) if one.exists()), Path("/"))
    usage = shutil.disk_usage(there)
    return Disk(
        path=path,
        free=usage.free,
        total=usage.total,
        device=there.stat().st_dev,
        writable=os.access(there, os.W_OK | os.X_OK),
        missing=there != path,
    )


def _text(path: Path) -> str:
    """The first 64 KiB of a file, "" where it cannot be read."""
    try:
        with path.open(errors="replace") as stream:
            return stream.read(65536)
    except OSError:
        return ""
