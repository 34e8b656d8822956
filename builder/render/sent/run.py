"""Runs a stack's own lines at the end of a build, in the image that is made, by its Python (3.8 or newer).

Run twice, in two stages of one build: `run.py again` leaves in /again.json what the lines changed, and `run.py`
compares what they changed this time with that. What differs is named, and ends the build. Every file gets the one date
of a build.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
AGAIN = Path("again.json")
CLAMP = 315532800
# What is mounted while a build runs.
APART = {"/proc", "/sys", "/dev", "/tmp", "/mnt/run", "/mnt/again", "/etc/hosts", "/etc/resolv.conf"}  # noqa: S108
HOLDING = {str(Path(one).parent) for one in APART}
FIXED = {"HOME": "/root", "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1", "SOURCE_DATE_EPOCH": str(CLAMP)}


def changed(since: float) -> dict[str, list[str]]:
    """What was made or changed since then, by path: mode, owner, and content. Each gets the fixed date."""
    found = {}
    for path in everything(Path("/")):
        about = path.lstat()
        if about.st_ctime >= since:
            found[str(path)] = [oct(about.st_mode), f"{about.st_uid}:{about.st_gid}", content(path, about.st_mode)]
        # Folders of mounts are made before this program begins, on a busy machine seconds before.
        if (str(path) in found or str(path) in HOLDING) and int(about.st_mtime) != CLAMP:
            os.utime(path, (CLAMP, CLAMP), follow_symlinks=False)
    return found


def everything(folder: Path) -> Iterator[Path]:
    """A folder and all below it, but for what is apart; links are not followed."""
    yield folder
    for path in sorted(folder.iterdir()):
        if str(path) in APART:
            continue
        if path.is_dir() and not path.is_symlink():
            yield from everything(path)
        else:
            yield path


def content(path: Path, mode: int) -> str:
    """What there is of a file, a link or a folder."""
    if stat.S_ISLNK(mode):
        return os.readlink(path)  # noqa: PTH115 - Python 3.8 has no Path.readlink
    if stat.S_ISDIR(mode):
        return "\n".join(sorted(one.name for one in path.iterdir() if str(one) not in APART))
    digest = hashlib.sha256()
    if stat.S_ISREG(mode):
        with path.open("rb") as stream:
            while piece := stream.read(1 << 20):
                digest.update(piece)
    return digest.hexdigest()


def main() -> None:
    """Run every line, then look."""
    there = set(map(str, everything(Path("/"))))
    since = time.time()
    time.sleep(0.05)  # the clock of a file system goes by steps of some milliseconds
    for number, line in enumerate(json.loads((HERE / "lines.json").read_text(encoding="utf-8"))):
        code = subprocess.run(["/bin/sh", "-euc", line], env={**os.environ, **FIXED}, check=False).returncode
        if code:
            sys.exit(f"error: run[{number}] ended with {code}: {line}")
    gone = sorted(path for path in there if not os.path.lexists(path))
    if gone:  # the mark by which a layer takes a file away bears the time of its build, which nothing can set
        sys.exit(
            f"error: `run` removes {gone[0]}, which an earlier layer holds: leave it there, or out of what brings it"
        )
    found = changed(since)
    if sys.argv[1:]:
        (Path("/") / AGAIN).write_text(json.dumps(found))
        return
    before = json.loads((Path("/mnt/again") / AGAIN).read_text())
    differs = sorted(path for path in before.keys() | found.keys() if before.get(path) != found.get(path))
    if differs:
        more = f" and {len(differs) - 8} more" if len(differs) > 8 else ""
        sys.exit(f"error: `run` gives something else each time: {', '.join(differs[:8])}{more}")


main()
