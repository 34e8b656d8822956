"""A program and all that it starts, shut in: no network, no file, process or device of this machine, no way out.

It is for the scripts of Debian packages, which want to be root in a root file system of theirs. They are that here, by
namespaces of the kernel, entered by util-linux's own commands (`sandbox.sh`): a chroot alone can be left by any root,
and leaves it the network, the processes and the devices.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from builder.errors import SurroundingsError

# The last ids of the range that systemd sets aside for containers (its document "Users, Groups, UIDs and GIDs").
_FIRST_ID, _IDS = 1878982656, 65536
_SPARE = 100000  # the first id that Debian's useradd sets aside (SUB_UID_MIN of login.defs)
_ROOM = 8 << 30  # bytes of /tmp inside: memory, taken only as it is used; a base is some 0.3 GB
_LINES, _LINE = 200, 4096  # of standard error, kept and read at once: a script may say more than memory holds
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_USERS = "root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n"
_GROUPS = "root:x:0:\nnogroup:x:65534:\n"
_FIX = "build as root, or on a Debian or Ubuntu whose kernel lets users make namespaces (package uidmap, /etc/subuid)"
# What forbids user namespaces to ordinary users: a file of the kernel's settings, the value that does, and what then
# helps. The first is Ubuntu's from 23.10 on, the second Debian's and Ubuntu's, the third every kernel's.
_FORBIDDING = (
    ("kernel/apparmor_restrict_unprivileged_userns", "1", "0"),
    ("kernel/unprivileged_userns_clone", "0", "1"),
    ("user/max_user_namespaces", "0", "65536"),
)
_SYSCTL = Path("/proc/sys")


@dataclass(frozen=True)
class Ended:
    """How a program ended. said: the last lines of its standard error."""

    returncode: int
    said: Sequence[str]


def run(
    command: Sequence[str], folder: Path, *, shown: Mapping[Path, str], environment: Mapping[str, str], out: Path
) -> Ended:
    """Run a program of this machine as root of a sandbox; it ends with all that it started, or when this process does.

    folder: an empty one of our own, for the sandbox's root. shown: folders of this machine to read inside, and where.
    out: a new file, for standard output. Inside, only /tmp can be written, and it is gone at the end.
    Raises SurroundingsError where this machine or its kernel cannot do that.
    """
    binds = [*_skeleton(folder), *(word for path, place in shown.items() for word in (str(path), place))]
    for place in shown.values():
        (folder / place.lstrip("/")).mkdir(parents=True)
    _open_to_all(folder)
    script = str(Path(__file__).with_name("sandbox.sh"))
    with _ids() as (entered, first), out.open("xb") as stream:
        words = [*entered, "setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--net", "--ipc", "--uts"]
        words += ["--fork", "--kill-child", "--", "/bin/sh", script, str(folder), str(first), str(_ROOM)]
        given = {"PATH": _PATH, "LC_ALL": "C.UTF-8", "TMPDIR": "/tmp", **environment}  # noqa: S108 (the sandbox's own)
        with subprocess.Popen(
            [*words, *binds, "--", *command],
            stdin=subprocess.DEVNULL, stdout=stream, stderr=subprocess.PIPE, env=given, cwd="/", umask=0o022,
        ) as process:  # fmt: skip
            try:
                ready, said = _said(process.stderr)
            except BaseException:
                process.kill()
                raise
    if not ready:
        fix = (os.geteuid() != 0 and _forbidden()) or _FIX
        raise _cannot([line.strip() for line in said[-3:]] or [f"exit code {process.returncode}"], fix)
    return Ended(process.returncode, said)


def _said(stream: IO[bytes] | None) -> tuple[bool, list[str]]:
    """Whether the command was reached, and the last lines of what was said since (before, where it was not)."""
    said: deque[str] = deque(maxlen=_LINES)
    ready = False
    while stream is not None and (line := stream.readline(_LINE)):
        if not ready and line == b"ready\n":
            ready = True
            said.clear()
        else:
            said.append(line.decode(errors="backslashreplace").rstrip())
    return ready, list(said)


def _skeleton(folder: Path) -> list[str]:
    """The sandbox's root: what this machine's programs need to start, and nothing of its data; gives what to bind."""
    for name in ("proc", "sys", "dev", "tmp", "etc"):
        (folder / name).mkdir()
    for name in ("null", "zero", "full", "random", "urandom"):
        (folder / "dev" / name).touch()
    for name, target in (("fd", "/proc/self/fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")):
        (folder / "dev" / name).symlink_to(target)
    (folder / "etc" / "passwd").write_text(_USERS)
    (folder / "etc" / "group").write_text(_GROUPS)
    if (cache := Path("/etc/ld.so.cache")).is_file():
        shutil.copyfile(cache, folder / "etc" / cache.name)
    if (names := Path("/etc/alternatives")).is_dir():
        shutil.copytree(names, folder / "etc" / names.name, symlinks=True)
    binds = []
    for top in ("usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32"):
        real = Path("/", top)
        if real.is_symlink():
            (folder / top).symlink_to(real.readlink())
        elif real.is_dir():
            (folder / top).mkdir()
            binds += [str(real), f"/{top}"]
    return binds


def _open_to_all(folder: Path) -> None:
    """Let everybody read a folder that was just made: root inside is nobody to its files, whatever the umask was."""
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() else 0o644)


@contextmanager
def _ids() -> Iterator[tuple[list[str], int]]:
    """How to be root of enough ids, as words before a command, and the first id that nobody outside has."""
    if os.geteuid() == 0:
        yield [], _FIRST_ID
        return
    if not shutil.which("newuidmap"):
        raise _cannot(["newuidmap is not installed"], "apt-get install uidmap, or build as root")
    user, group = os.geteuid(), os.getegid()
    holder = subprocess.Popen(["unshare", "--user", "setpriv", "--pdeathsig", "KILL", "sleep", "infinity"])
    try:
        _wait_for_namespace(holder)
        for tool, own, file in (("newuidmap", user, "/etc/subuid"), ("newgidmap", group, "/etc/subgid")):
            first = _first_id(Path(file), user)
            maps = ["0", str(own), "1", "1", str(first), str(_IDS)]
            done = subprocess.run([tool, str(holder.pid), *maps], capture_output=True, text=True, check=False)
            if done.returncode:
                raise _cannot(done.stderr.splitlines()[-1:], _forbidden() or _FIX)
        yield ["nsenter", f"--user=/proc/{holder.pid}/ns/user", "--setuid", "0", "--setgid", "0"], 1
    finally:
        holder.kill()
        holder.wait()


def _wait_for_namespace(holder: subprocess.Popen[bytes]) -> None:
    here = Path("/proc/self/ns/user").readlink()
    for _ in range(100):
        if holder.poll() is not None:
            raise _cannot(["the kernel refuses user namespaces to this user"], _forbidden() or _FIX)
        if Path(f"/proc/{holder.pid}/ns/user").readlink() != here:
            return
        time.sleep(0.05)
    raise _cannot(["no user namespace came"])


def _first_id(file: Path, user: int) -> int:
    """The first of the ids that this machine sets aside for a user in /etc/subuid or /etc/subgid."""
    names = {str(user)}
    with suppress(KeyError):
        names.add(pwd.getpwuid(user).pw_name)
    free = _SPARE
    for line in file.read_text().splitlines() if file.is_file() else []:
        owner, _, rest = line.partition(":")
        first, _, count = rest.partition(":")
        if owner in names and first.isdecimal() and count.isdecimal() and int(count) >= _IDS:
            return int(first)
        if first.isdecimal() and count.isdecimal():
            free = max(free, int(first) + int(count))
    name = sorted(names)[-1]
    fix = f"echo {name}:{free}:{_IDS} | sudo tee --append {file}, or build as root"
    raise _cannot([f"{file} sets no {_IDS} ids aside for user {user}"], fix)


def _forbidden() -> str:
    """What to do about a setting of this kernel that keeps ordinary users from namespaces, "" where there is none."""
    for name, forbids, allows in _FORBIDDING:
        with suppress(OSError):
            if (_SYSCTL / name).read_text().strip() == forbids:
                key = name.replace("/", ".")
                return f"build as root, or sudo sysctl {key}={allows} ({key} is {forbids} here, which forbids it)"
    return ""


def _cannot(why: Sequence[str], fix: str = _FIX) -> SurroundingsError:
    problem = "this machine cannot shut in the packages' scripts, and without that they are not run"
    return SurroundingsError(problem, why="; ".join(why), fix=fix)
