"""The verbs for services, as the command line calls them; each gives what goes into its JSON document."""

from __future__ import annotations

from typing import Any

from builder.build.build import Built
from builder.build.service import build as load_image
from builder.check import packaged_facts
from builder.check.model import Finding
from builder.check.service import check as find
from builder.engine.client import Engine
from builder.errors import InputError, Unreachable
from builder.fetch import Fetched
from builder.fetch import fetch as bring
from builder.lock import service as locks
from builder.lock import store
from builder.lock.service import ServiceLock
from builder.render.service import Rendered
from builder.render.service import render as write
from builder.settings import Settings
from builder.smoke.report import GpuMode, SmokeReport
from builder.smoke.service import smoke as prove
from builder.spec import stack_folder
from builder.spec.service import Service
from builder.stack import Made, refuse_errors, timed
from builder.ui import Ui


def locked(service: Service, settings: Settings) -> ServiceLock:
    """Its lock. Raises InputError where there is none, or it is stale."""
    return locks.locked(service, stack_folder(service.name, settings))


def check(service: Service, settings: Settings, *, host: bool = False) -> list[Finding]:
    """Findings from packaged facts; with host=True those of this machine's GPUs too."""
    from builder.host import nvidia  # noqa: PLC0415 - only where it is asked for

    folder = stack_folder(service.name, settings)
    lock = locks.locked(service, folder) if store.exists(folder) else None
    gpus = [gpu.name for gpu in nvidia.look().gpus] if host else []
    return find(service, lock, packaged_facts(), gpus)


def lock(
    service: Service, settings: Settings, ui: Ui, *, upgrade: bool = False, partly: bool = False
) -> dict[str, Any]:
    """Write stack.lock; what it says. partly: where the registry cannot be reached write nothing, and say so."""
    try:
        done = locks.lock(service, stack_folder(service.name, settings), settings, upgrade=upgrade)
    except Unreachable as error:
        if not partly:
            raise
        ui.warn(f"{service.name} is not locked: {error.problem}; a later lock does it")
        return {"stack": service.name, "unresolved": [{"kind": "base", "name": service.image}]}
    size = sum(blob.size for blob in done.blobs)
    ui.say(f"{service.name}: {done.reference}, {len(done.blobs)} blobs, {size} bytes")
    return {"stack": service.name, "reference": done.reference, "blobs": len(done.blobs), "bytes": size}


def fetch(service: Service, settings: Settings, ui: Ui, *, verify: bool = False, offline: bool = False) -> Fetched:
    """Bring the blobs, verified."""
    return bring(locked(service, settings).artifacts(), {}, settings, ui, verify=verify, offline=offline)


def render(service: Service, settings: Settings) -> Rendered:
    """Write build/NAME/compose.yaml."""
    return write(service, locked(service, settings), settings)


def build(service: Service, settings: Settings, engine: Engine, ui: Ui) -> Built:
    """Put the image into the engine, and write the compose file that starts it."""
    render(service, settings)
    return load_image(service, locked(service, settings), settings, engine, ui)


def smoke(service: Service, settings: Settings, engine: Engine, *, gpu: GpuMode) -> SmokeReport:
    """Test the compose file, the image and, where it runs, the service."""
    return prove(service, locked(service, settings), settings, engine, gpu=gpu)


def make(service: Service, settings: Settings, ui: Ui, *, gpu: GpuMode, offline: bool = False) -> Made:
    """The verb stack: lock where needed, fetch, load, test. Raises as its steps do, JobError where a test failed."""
    seconds: dict[str, float] = {}
    refuse_errors(check(service, settings), ui)
    if not store.exists(stack_folder(service.name, settings)):
        if offline:
            raise InputError(f"{service.name} has no lock; OFFLINE forbids making one", fix="bring it by `make import`")
        with timed(seconds, "lock"):
            lock(service, settings, ui)
    engine = Engine.connect()
    with timed(seconds, "fetch"):
        fetched = fetch(service, settings, ui, offline=offline)
    with timed(seconds, "build"):
        built = build(service, settings, engine, ui)
    with timed(seconds, "smoke"):
        report = smoke(service, settings, engine, gpu=gpu)
    made = Made(built, fetched, report, seconds)
    made.conclude(ui)
    return made
