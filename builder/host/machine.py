"""One look at this machine."""

from __future__ import annotations

import os
import platform
from pathlib import Path

from builder.engine import probe
from builder.engine.endpoint import Endpoint
from builder.engine.probe import EngineError, EngineInfo
from builder.host import nvidia, system, toolkit
from builder.host.model import Disk, EngineLack, Host, elsewhere
from builder.settings import Settings

_PATIENCE = 60.0  # seconds for an answer of an engine on another machine


def look(settings: Settings) -> Host:
    """What is so of this machine now. Changes nothing, asks no network but the engine's own endpoint."""
    engine, lack, endpoint = _engine()
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
        engine_disk=far_disk(engine, endpoint) if engine and endpoint and elsewhere(engine) else _engine_disk(engine),
    )


def _engine() -> tuple[EngineInfo | None, EngineLack | None, Endpoint | None]:
    try:
        info, _, endpoint = probe.ask()
    except EngineError as error:
        return None, EngineLack(lacks=error.lacks, problem=error.problem, why=error.why, fix=error.fix), None
    return info, None, endpoint


def _engine_disk(engine: EngineInfo | None) -> Disk | None:
    """Where the engine keeps images; None for a virtual machine's, whose folder is not here."""
    if engine is None or not Path(engine.root_dir).is_absolute():
        return None
    folder = Path(engine.root_dir)
    try:
        return system.disk(folder) if folder.exists() else None
    except PermissionError:
        return system.disk(folder.parent)


def far_disk(engine: EngineInfo, endpoint: Endpoint) -> Disk | None:
    """The disk of an engine on another machine, as a container without a network there sees its own root; None where
    it has no base of ours yet, by which it could be asked."""
    from docker.errors import DockerException  # noqa: PLC0415 - 0.1 s
    from requests import RequestException  # noqa: PLC0415 - comes with it

    try:
        client = endpoint.client(_PATIENCE)
        bases = client.images.list("modelstacks/base")
        if not bases:
            return None
        said = client.containers.run(bases[0], ["stat", "-f", "-c", "%S %a %b", "/"], network_mode="none", remove=True)
        size, free, total = map(int, said.split())
    except (DockerException, RequestException, OSError, ValueError):
        return None
    path = Path(engine.root_dir)
    return Disk(path=path, free=size * free, total=size * total, device=-1, writable=True, missing=False)
