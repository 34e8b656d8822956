"""One look at this machine."""

from __future__ import annotations

import os
import platform
from pathlib import Path

from builder.engine import probe
from builder.engine.probe import EngineError, EngineInfo
from builder.host import nvidia, system, toolkit
from builder.host.model import Disk, EngineLack, Host
from builder.settings import Settings


def look(settings: Settings) -> Host:
    """What is so of this machine now. Changes nothing, asks no network but the engine's own endpoint."""
    engine, lack = _engine()
    kernel = system.kernel()
    return Host(
        system=system.name(),
        kernel=kernel,
        architecture=platform.machine(),
        wsl=system.is_wsl(kernel),
        root=os.geteuid() == 0,
        cpus=len(os.sched_getaffinity(0)),
        memory=system.memory(),
        nvidia=nvidia.read(),
        toolkit=toolkit.version(),
        cdi=toolkit.cdi_specs(),
        engine=engine,
        engine_lack=lack,
        home_disk=system.disk(settings.home),
        engine_disk=_engine_disk(engine),
    )


def _engine() -> tuple[EngineInfo | None, EngineLack | None]:
    try:
        return probe.ask()[0], None
    except EngineError as error:
        return None, EngineLack(lacks=error.lacks, problem=error.problem, why=error.why, fix=error.fix)


def _engine_disk(engine: EngineInfo | None) -> Disk | None:
    """Where the engine keeps images; None for one of another machine, or of a virtual one whose folder is not here."""
    if engine is None or not engine.host.startswith("unix://") or not Path(engine.root_dir).is_absolute():
        return None
    folder = Path(engine.root_dir)
    try:
        return system.disk(folder) if folder.exists() else None
    except PermissionError:
        return system.disk(folder.parent)
