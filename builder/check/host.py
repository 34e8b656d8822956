"""A stack against one machine: its driver, GPUs, engine, disk and memory.

Findings are of the machine, never of the stack: "error" where the stack cannot run or be built here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from builder.check import packaged_facts
from builder.check.host_gpu import gpu
from builder.check.model import Case, Finding, finding
from builder.check.rows import Facts, HostNeed
from builder.host import EngineLack, Host, look
from builder.lock.model import StackLock
from builder.settings import Settings
from builder.spec.model import Stack
from builder.ui import Ui, human_bytes

_TOOLKIT = "docs.nvidia.com/datacenter/cloud-native/container-toolkit, install guide and CDI support"
CDI_FILE = "/etc/cdi/nvidia.yaml"  # where NVIDIA's own documents have it


@dataclass
class Here:
    """This machine, and what was found of it for one stack after the other."""

    host: Host
    settings: Settings
    found: dict[str, list[Finding]] = field(default_factory=dict)

    @classmethod
    def look(cls, settings: Settings) -> Here:
        """Look at this machine once."""
        return cls(look(settings), settings)

    def judge(self, stack: Stack, lock: StackLock | None, ui: Ui) -> None:
        """Hold a stack against this machine, and show what is found."""
        found = against(case_of(stack, lock), self.host, absent(lock, self.settings))
        self.found[stack.name] = found
        ui.tell(f"{stack.name} on this machine: {f'{len(found)} findings' if found else 'no findings'}")
        if found:
            ui.table("", ["level", "rule", "finding"], [[item.level, item.key, item.text] for item in found])

    @property
    def wrong(self) -> int:
        """How many findings are errors."""
        return sum(item.level == "error" for found in self.found.values() for item in found)

    def document(self) -> dict[str, Any]:
        """For --json."""
        found = {name: [item.document() for item in several] for name, several in self.found.items()}
        return {"host": self.host.document(), "on_host": found}


def case_of(stack: Stack, lock: StackLock | None) -> Case:
    """A stack with the packaged facts, as rules look at it."""
    return Case(stack=stack, lock=lock, facts=packaged_facts(), today=date.today())


def against(case: Case, host: Host, to_fetch: int = 0) -> list[Finding]:
    """What keeps this machine from building the stack or running it.

    to_fetch: bytes of the lock's files that are not here yet, as `absent` counts them.
    """
    stack, lock, facts = case.stack, case.lock, case.facts
    driver = [] if host.engine_elsewhere else gpu(case, host.nvidia, wsl=host.wsl)
    return [
        *driver,
        *engine(host, with_gpu=stack.cuda is not None),
        *disk(lock, host, facts, to_fetch),
        *memory(stack, lock, host, facts),
    ]


def absent(lock: StackLock | None, settings: Settings) -> int:
    """Bytes of the lock's files that are not in the home folder, by name and size."""
    missing = 0
    for item in lock.artifacts() if lock else ():
        path = settings.home / item.folder / item.filename
        there = path.is_file() and path.stat().st_size == item.size
        missing += 0 if there else item.size
    return missing


def engine(host: Host, *, with_gpu: bool) -> Iterator[Finding]:
    """Whether there is an engine, on this machine, and whether it can give this machine's GPU to a container."""
    if host.engine is None:
        lack = host.engine_lack or EngineLack(lacks="", problem="there is no engine", why="", fix="make engine")
        yield _engine_error(lack.problem, lack.why or "images are built and run by it", lack.fix, "docker info")
    elif host.engine_elsewhere:
        yield Finding(
            rule="host_elsewhere",
            level="warning",
            problem=f"the engine is on another machine ({host.engine.host})",
            cause="its driver and GPU cannot be looked at from here"
            + ("" if host.engine_disk else ", and its disk not before it has a base of ours"),
            fix="look there as well: make check HOST=1, make doctor",
            source="docker context inspect",
        )
    elif with_gpu and host.nvidia.gpus and not host.engine_gpus:
        yield _engine_error("the engine gives no GPU to containers", *_no_gpu_given(host), _TOOLKIT)
    if host.engine and host.engine.architecture not in ("", "x86_64", "amd64"):
        yield Finding(
            rule="host_architecture",
            level="warning",
            problem=f"the engine's machine is {host.engine.architecture}, the images are for x86_64",
            cause="what runs in them, in a build too, runs under emulation: many times slower, and without a GPU",
            fix="use an engine on an x86_64 machine (`engine`, DOCKER_HOST or DOCKER_CONTEXT)",
            source="docker info",
        )


def _no_gpu_given(host: Host) -> tuple[str, str]:
    """Why the engine gives no GPU to containers, and the next step."""
    if host.cdi:
        fix = 'put {"features": {"cdi": true}} into /etc/docker/daemon.json, then restart the engine'
        return f"{host.cdi[0].path} is there, but the engine does not read it", fix
    generate = f"sudo nvidia-ctk cdi generate --output={CDI_FILE}"
    if host.toolkit:
        cause = f"nvidia-container-toolkit {host.toolkit} is there, but no CDI file, and Docker's runtime is not set up"
        return cause, f"make doctor FIX=1 as root, or: {generate}"
    return "nvidia-container-toolkit is not installed", f"install nvidia-container-toolkit, then: {generate}"


def _engine_error(problem: str, cause: str, fix: str, source: str) -> Finding:
    return Finding(rule="host_engine", level="error", problem=problem, cause=cause, fix=fix, source=source)


def disk(lock: StackLock | None, host: Host, facts: Facts, to_fetch: int) -> Iterator[Finding]:
    """Whether the files still to fetch and the image have room; nothing without a lock, which has the sizes."""
    if lock is None:
        return
    home, data = host.home_disk, host.engine_disk
    if to_fetch > home.free:
        yield Finding(
            rule="host_disk",
            about="files",
            level="error",
            problem=f"{human_bytes(to_fetch)} are still to fetch, {human_bytes(home.free)} are free in {home.path}",
            cause="the lock's files are kept as they are fetched",
            fix="free some space, or set `home` to a folder on a larger disk",
            source="the sizes in the stack's lock",
        )
    if data is None or host.engine is None:
        return
    row = _need("image-overlay2" if host.engine.store == "overlay2" else "image", facts)
    image = int(sum(item.size for item in lock.artifacts() if item.kind != "tool") * float(row["times"]))
    left = data.free - (to_fetch if data.device == home.device else 0)
    if image > left:
        yield finding(
            "host_disk",
            [row],
            about="image",
            level="warning",
            problem=f"building it anew takes about {human_bytes(image)}, "
            f"{human_bytes(max(left, 0))} are left in {data.path}",
            cause="the engine keeps the image and the build cache, by which the next build is quick",
            fix="free some space (`docker builder prune` frees the build cache), or give the engine a larger disk",
        )


def memory(stack: Stack, lock: StackLock | None, host: Host, facts: Facts) -> Iterator[Finding]:
    """Whether compilers have room in the engine's machine, where the stack compiles what no lock has compiled yet."""
    if not stack.extensions or (lock and lock.built):
        return
    row = _need("compile", facts)
    least, usable = int(row["bytes"]), (host.engine and host.engine.memory) or host.memory.usable
    if usable < least:
        yield finding(
            "host_memory",
            [row],
            level="warning",
            problem=f"compiling takes about {human_bytes(least)} of memory, {human_bytes(usable)} are usable",
            cause="where memory ends the compiler is killed",
            fix="compile it on a machine with more memory, or add swap",
        )


def _need(what: str, facts: Facts) -> HostNeed:
    return next(row for row in facts["host_needs"] if row["what"] == what)
