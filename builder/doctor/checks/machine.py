"""The machine itself: what it is, its memory and its disks."""

from __future__ import annotations

from collections.abc import Iterator

from builder.doctor.model import Diagnosis, State
from builder.host import Disk, Host
from builder.ui import human_bytes

SUBJECT = "this machine"
_LEAST = 1_000_000_000  # bytes; a base image with its layers alone takes about 0.6 GB


def judge(host: Host) -> Iterator[Diagnosis]:
    """What the machine is (never bad), and each disk that files or images are kept on."""
    wsl = ", WSL" if host.wsl else ""
    what = f"{host.system or 'an unknown system'}, Linux {host.kernel} ({host.architecture}){wsl}"
    yield _good("system", what, wsl=host.wsl)
    yield _good("memory", _memory(host), total=host.memory.total, limit=host.memory.limit)
    yield _disk("files", host.home_disk)
    if host.engine_disk:
        yield _disk("the engine", host.engine_disk)


def _memory(host: Host) -> str:
    limit = "" if host.memory.limit is None else f"; this process may use {human_bytes(host.memory.limit)} (cgroup)"
    return (
        f"{human_bytes(host.memory.total)}, {human_bytes(host.memory.available)} of it available, "
        f"{host.cpus} CPUs{limit}"
    )


def _good(check: str, message: str, **figures: object) -> Diagnosis:
    return Diagnosis(check=check, subject=SUBJECT, state="good", message=message, figures=figures)


def _disk(whose: str, disk: Disk) -> Diagnosis:
    message = f"{human_bytes(disk.free)} free of {human_bytes(disk.total)} for {whose} in {disk.path}"
    fix = ""
    if disk.missing and not disk.writable:
        message, fix = f"{disk.path} is not there and cannot be made", "make it, or set `home` to another folder"
    elif disk.missing:
        message, fix = f"{disk.path} is not there", "it is made when it is needed; make doctor FIX=1 makes it now"
    elif disk.free < _LEAST:
        fix = f"free some space on the disk of {disk.path}"
    elif not disk.writable and whose == "files":
        message, fix = f"{disk.path} cannot be written", "make it your own with chown, or set `home` to another folder"
    soft = disk.missing and disk.writable
    state: State = "note" if soft else "bad" if fix else "good"
    return Diagnosis(
        check="disk",
        subject=SUBJECT,
        state=state,
        message=message,
        fix=fix,
        figures={"free": disk.free, "total": disk.total},
    )
