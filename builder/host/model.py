"""What a look at this machine finds, as frozen values. No IO here.

Sizes are bytes; a figure that could not be had is None, a text "".
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from builder.engine.probe import EngineInfo

Trouble = Literal["", "no-driver", "no-library", "not-loaded", "mismatch", "no-device", "lost", "no-answer", "other"]
"""Why the driver shows no GPU: there is none; its module alone is here; its module is not loaded; module and libraries
differ; it sees no device; a device fell off the bus; it does not answer in time; something else."""


@dataclass(frozen=True, kw_only=True)
class Gpu:
    """One NVIDIA GPU. capability: its compute capability such as "9.0"."""

    name: str
    capability: str
    memory: int | None
    free: int | None


@dataclass(frozen=True, kw_only=True)
class Nvidia:
    """What NVIDIA's driver says.

    driver: its version such as 580.159.04; on WSL that of Windows. cuda: the newest CUDA it knows, such as 13.0,
    where it was asked. module: version of the loaded kernel module. source: who was asked. said: its own words on
    the trouble. cards: NVIDIA display devices on the PCI bus, seen without any driver. nouveau: whether the kernel
    has loaded that driver instead.
    """

    driver: str = ""
    cuda: str = ""
    gpus: tuple[Gpu, ...] = ()
    module: str = ""
    source: str = ""
    trouble: Trouble = "no-driver"
    said: str = ""
    cards: int = 0
    nouveau: bool = False


@dataclass(frozen=True, kw_only=True)
class Memory:
    """The machine's memory. limit: of the cgroup that this process is in, None for no limit."""

    total: int
    available: int
    limit: int | None

    @property
    def usable(self) -> int:
        """The smaller of the machine's memory and the limit."""
        return self.total if self.limit is None else min(self.total, self.limit)


@dataclass(frozen=True, kw_only=True)
class Disk:
    """The file system of a folder. path: the folder. missing: it is not there, its nearest parent was looked at.

    device: the same number for folders of one file system.
    """

    path: Path
    free: int
    total: int
    device: int
    writable: bool
    missing: bool


@dataclass(frozen=True, kw_only=True)
class CdiSpec:
    """A CDI file that offers NVIDIA GPUs. gone: files it would mount that are not there, so it is of another driver."""

    path: Path
    devices: tuple[str, ...]
    gone: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class EngineLack:
    """Why there is no usable engine; the words of the engine room's EngineError."""

    lacks: str
    problem: str
    why: str
    fix: str


@dataclass(frozen=True, kw_only=True)
class Host:
    """This machine at one moment.

    system: the distribution's name for itself. toolkit: version of NVIDIA's container toolkit (nvidia-ctk).
    engine_disk: None where it cannot be asked, and where there is no engine.
    """

    system: str
    kernel: str
    architecture: str
    wsl: bool
    root: bool
    cpus: int
    memory: Memory
    nvidia: Nvidia
    toolkit: str
    cdi: tuple[CdiSpec, ...]
    engine: EngineInfo | None
    engine_lack: EngineLack | None
    home_disk: Disk
    engine_disk: Disk | None

    @property
    def engine_elsewhere(self) -> bool:
        """Whether the engine is on another machine, which was not looked at."""
        return self.engine is not None and elsewhere(self.engine)

    @property
    def engine_gpus(self) -> bool:
        """Whether the engine can give a GPU to a container."""
        return self.engine is not None and bool(self.engine.cdi or self.engine.nvidia_runtime)

    def document(self) -> dict[str, Any]:
        """For --json."""
        return {name: _plain(value) for name, value in asdict(self).items()}


def elsewhere(engine: EngineInfo) -> bool:
    """Whether an engine is on another machine than this program."""
    return not engine.host.startswith("unix://")


def _plain(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value
