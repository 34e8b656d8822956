"""What can be proved of a service: its compose file, its image, and the service itself where it runs."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from builder.engine.client import Engine
from builder.errors import JobError
from builder.files import write_atomic
from builder.inside import Place
from builder.lock.service import ServiceLock
from builder.render.service import render, tag
from builder.settings import Settings
from builder.smoke import evidence
from builder.smoke.brief import Brief, Promised
from builder.smoke.report import GpuAccess, GpuMode, Result, SmokeReport
from builder.smoke.run import judge
from builder.smoke.subject import CHECKS
from builder.spec.service import Service
from builder.ui import Ui

_CHECK = CHECKS / "services" / "service.py"


def smoke(
    service: Service, lock: ServiceLock, settings: Settings, ui: Ui, engine: Engine, *, gpu: GpuMode = "auto"
) -> SmokeReport:
    """Test a service; failing tests are in the report, not raised. Writes to build/NAME/smoke/.

    The service is asked only where it runs already; under gpu="require" it has to. Raises JobError where its image is
    not in the engine.
    """
    began, folder, name = time.monotonic(), settings.build / service.name / "smoke", tag(service, lock, settings)
    image = engine.image(name)
    if image is None:
        raise JobError(f"there is no image {name}", fix=f"run `make build STACK={service.name}`")
    promised = _promised(service, lock, name, render(service, lock, settings).compose, engine)
    with tempfile.TemporaryDirectory(prefix="modelstacks-smoke-") as aside:
        session = Brief(
            kind="image",
            place=Place(python=""),
            expected=None,
            gpu_mode=gpu,
            no_gpu="GPU=none: the service runs on a GPU alone" if gpu == "none" else "",
            record=Path(aside) / "record.json",
            service=promised,
        )
        record = judge(session, [_CHECK], Path(aside), ui, engine)
        write_atomic(folder / "junit.xml", (Path(aside) / "junit.xml").read_bytes())
    report = SmokeReport(
        stack=service.name,
        target="image",
        name=name,
        image_id=image.id,
        python={},
        gpu=GpuAccess(mode=gpu, arguments=(), reason="the service takes its GPU by its compose file"),
        results=tuple(Result(**result) for result in record["results"]),
        seconds=round(time.monotonic() - began, 3),
        junit=folder / "junit.xml",
        evidence=folder / evidence.NAME,
    )
    evidence.write(report, "", record["probes"], engine=engine, checks=("service",), lock=lock.digest)
    return report


def _promised(service: Service, lock: ServiceLock, image: str, compose: Path, engine: Engine) -> Promised:
    health = service.health
    return Promised(
        image=image,
        ids=tuple(blob.sha256 for blob in lock.blobs[:2]),
        compose=str(compose),
        ports=tuple(service.ports.values()),
        volumes=tuple(service.volumes),
        gpu=service.gpu,
        secrets=tuple(service.secrets),
        url=f"http://127.0.0.1:{service.ports[health.port]}{health.path}",
        docker=tuple(engine.command()),
        endpoint=engine.endpoint,
    )
