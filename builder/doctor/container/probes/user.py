"""Whom the container's programs run as, and what that user has: name, home, folders to write, memory, a compiler.

Arguments: the pid of a running Python or 0, whose environment, user and folder are taken; a JSON document with
`caches` (name -> variables that name its folder, the default, whether that is below XDG_CACHE_HOME, the program).
Prints one JSON document and writes nothing: tempfile itself would try its folders by a file.
Needs nothing but the standard library of Python 3.7.
"""

from __future__ import annotations

# ruff: noqa: T201, PTH111, PTH112, PTH120, S108 - os.path goes as a process would, links and all
import contextlib
import getpass
import json
import os
import pwd
import re
import shutil
import sys
import tempfile
from pathlib import Path


def become(pid: int) -> None:
    """Take over user, environment and folder of a process; the user first, who alone may read the others.

    Another user that cannot be had, or whose process tells nothing, ends the probe; else what it has itself will do.
    """
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace")
    ids = {key: list(map(int, line.split())) for key, line in re.findall(r"^(Uid|Gid|Groups):(.*)$", status, re.M)}
    other = ids["Uid"][1] != os.geteuid()
    try:
        if other:
            os.setgroups(ids["Groups"])
            os.setgid(ids["Gid"][1])
            os.setuid(ids["Uid"][1])
        environment = Path(f"/proc/{pid}/environ").read_bytes().decode("utf-8", "surrogateescape")
        os.chdir(f"/proc/{pid}/cwd")
    except OSError as error:
        if other:
            raise SystemExit(f"process {pid} runs as user {ids['Uid'][1]}: {error.strerror}") from None
        return
    os.environ.clear()
    os.environ.update(item.partition("=")[::2] for item in environment.split("\0") if "=" in item[1:])


def writable(path: str) -> bool:
    """Whether a folder may be written, or made where it is not there; asked without a try."""
    place = os.path.realpath(path)
    while not os.path.lexists(place):
        place = os.path.dirname(place)
    return os.path.isdir(place) and os.access(place, os.W_OK | os.X_OK)


def filled(path: str) -> bool:
    """Whether a folder holds anything."""
    try:
        return next(Path(path).iterdir(), None) is not None
    except OSError:
        return False


def cache(row: dict[str, object]) -> dict[str, object]:
    """The folder of one cache."""
    home = os.path.expanduser("~")
    start = os.environ.get("XDG_CACHE_HOME") or f"{home}/.cache" if row["xdg"] else home
    named = [os.environ[name] for name in row["variables"] if os.environ.get(name)]  # type: ignore[attr-defined]
    path = os.path.expanduser(named[0]) if named else f"{start}/{row['default']}"
    found = bool(row["program"] and shutil.which(str(row["program"])))
    path = os.path.normpath(path).replace("//", "/")
    return {"path": path[:500], "writable": writable(path), "filled": filled(path), "program": found}


def temporary() -> str:
    """The first folder of tempfile's that may be written, "" where there is none."""
    places = tempfile._candidate_tempdir_list()  # type: ignore[attr-defined]
    return next((one for one in places if os.path.isdir(one) and writable(one)), "")


def named() -> tuple[bool, str]:
    """Whether the user is in /etc/passwd, and the name that getpass gives, "" where it raises."""
    try:
        pwd.getpwuid(os.geteuid())
        known = True
    except KeyError:
        known = False
    try:
        return known, getpass.getuser()
    except (KeyError, OSError):
        return known, ""


def memory() -> tuple[int, int]:
    """Size of /dev/shm and what is free of it."""
    try:
        seen = os.statvfs("/dev/shm")
    except OSError:
        return -1, -1
    return seen.f_blocks * seen.f_frsize, seen.f_bavail * seen.f_frsize


process = int(sys.argv[1])
if process:
    with contextlib.suppress(FileNotFoundError):  # it has ended meanwhile
        become(process)
known, name = named()
size, free = memory()
compilers = (os.environ.get("CC", "").split(" ")[0], "gcc", "clang", "cc")
print(
    json.dumps(
        {
            "uid": os.geteuid(),
            "named": known,
            "name": name,
            "home": os.path.expanduser("~"),
            "caches": {key: cache(row) for key, row in json.loads(sys.argv[2])["caches"].items()},
            "temporary": temporary(),
            "shm": size,
            "shm_free": free,
            "compiler": next(filter(None, map(shutil.which, filter(None, compilers))), ""),
        }
    )
)
