"""The evidence document: what a smoke run found and under which circumstances, and when it may stand for a new run."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from builder.files import sha256_text, write_atomic
from builder.smoke.report import GpuAccess, Result, SmokeReport

if TYPE_CHECKING:
    from builder.engine.client import Engine
    from builder.smoke.subject import Subject
    from builder.smoke.target import Target

NAME = "evidence.json"
_ROOM = Path(__file__).resolve().parent


def key(target: Target, subject: Subject, gpu: GpuAccess) -> str:
    """A digest of everything that decides what the tests find: image, lock, stack, GPU, and the tests' own text."""
    texts = {str(path.relative_to(_ROOM)): path.read_text(encoding="utf-8") for path in sorted(_ROOM.rglob("*.py"))}
    parts = [target.kind, target.image_id, target.python, asdict(subject), asdict(gpu), texts]
    return sha256_text(json.dumps(parts, sort_keys=True))


def write(
    report: SmokeReport,
    digest: str,
    probes: dict[str, Any],
    *,
    engine: Engine | None,
    checks: tuple[str, ...],
    lock: str,
) -> None:
    """Write evidence.json: the report, its key, date (UTC), lock digest, engine, GPUs, driver, and the probes' figures.

    digest: "" for what no later run takes. The lock is "" and the engine null where the target has none.
    """
    of_this_machine = ("evidence", "junit", "reused")
    gpu = probes.get("gpu", {}).get("figures", {})
    document = {
        **{name: value for name, value in report.document().items() if name not in of_this_machine},
        "key": digest,
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "checks": checks,
        "lock": lock,
        "engine": {"version": engine.info.version, "store": engine.info.store} if engine else None,
        "devices": gpu.get("devices", []),
        "driver": gpu.get("driver", ""),
        "probes": probes,
    }
    write_atomic(report.evidence, json.dumps(document, indent=2, sort_keys=True) + "\n")


def earlier(folder: Path, digest: str) -> SmokeReport | None:
    """The report that evidence.json in folder holds, if its key is digest and it was green; else None."""
    try:
        document = json.loads((folder / NAME).read_text(encoding="utf-8"))
        if document["key"] != digest or not (folder / "junit.xml").is_file():
            return None
        report = SmokeReport(
            gpu=GpuAccess(**{**document["gpu"], "arguments": tuple(document["gpu"]["arguments"])}),
            results=tuple(Result(**result) for result in document["results"]),
            junit=folder / "junit.xml",
            evidence=folder / NAME,
            **{name: document[name] for name in ("stack", "target", "name", "image_id", "python", "seconds")},
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return replace(report, reused=True) if report.green else None
