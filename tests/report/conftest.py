"""A small site with a stack in each state that a page is to be made of: nothing is built, all is written here."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from builder.lock import store
from builder.lock.model import Artifact, Unresolved
from builder.lock.service import ServiceLock, _text, inputs_digest
from builder.origin import Origin
from builder.report import write
from builder.report.proofs import given
from builder.settings import Settings, load
from builder.spec import Stacks
from builder.spec.service import Service
from tests.bundle.conftest import Site, add_stack, site, wheel

HOSTILE = "<img src=https://evil.example/x onerror=alert(1)><script>alert(2)</script>"
LOG = f"""#1 [internal] load build definition from Dockerfile
#1 DONE 0.0s

#2 [context wheels] load .dockerignore
#2 DONE 0.1s

#10 [base 1/1] FROM docker.io/modelstacks/base:debian-66bbe5b72ac0
#10 CACHED

#11 [wheels-layer 1/2] RUN echo {HOSTILE} && uv pip install
#11 0.512 installed
#12 [stage-9 2/2] COPY --link --from=wheels-layer /layer /
#12 DONE 0.4s
#11 DONE 31.5s
#13 exporting to image
#13 DONE 1.0s
"""
SERVICE = """kind: service
summary: A service of somebody's
image: registry.example.org/team/speaks:1
licence: for tests alone
ports: {http: 8000}
health: {port: http, path: /ready}
"""


def result(test: str, outcome: str = "passed", reason: str = "") -> dict[str, Any]:
    return {"check": "python", "test": test, "outcome": outcome, "reason": reason, "seconds": 0.25, "needs_gpu": False}


def evidence(stack: str, lock: str, *results: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "stack": stack,
        "target": "image",
        "name": f"registry.example.org/team/{stack}:latest",
        "date": "2026-11-28T15:39:09+00:00",
        "lock": lock,
        "image_id": "sha256:" + "5" * 64,
        "seconds": 12.5,
        "devices": [{"name": "NVIDIA H200", "capability": "9.0", "memory": 150109880320}],
        "driver": "580.159.04",
        "engine": {"version": "26.1.5", "store": "overlay2"},
        "results": list(results),
        **more,
    }


def made(here: Site, name: str, *results: dict[str, Any], lock: str = "") -> None:
    """What a run of `stack` leaves in build/NAME."""
    folder = here.home / "build" / name
    (folder / "smoke").mkdir(parents=True)
    (folder / "build.log").write_text(LOG)
    seconds = {"complete": 0.03, "check": 0.02, "fetch": 9.1, "compile": 0.0, "build": 47.2, "smoke": 15.6}
    (folder / "made.json").write_text(json.dumps({"seconds": seconds}))
    said = evidence(name, lock or store.read(here.stacks / name).digest, *results)
    (folder / "smoke" / "evidence.json").write_text(json.dumps(said))


def blob(number: int, size: int) -> Artifact:
    digest = hashlib.sha256(str(number).encode()).hexdigest()
    kind = ("manifest", "config", "layer")[min(number, 2)]
    origin = Origin.parse("registry:registry.example.org/team/speaks")
    return Artifact(kind="blob", filename=digest, size=size, sha256=digest, origin=origin, project=kind, version=digest)


def add_service(here: Site, name: str, *, locked: bool) -> None:
    folder = here.stacks / name
    folder.mkdir()
    (folder / "stack.yaml").write_text(SERVICE)
    service = Stacks(here.settings).load(name)
    assert isinstance(service, Service)
    if locked:
        blobs = tuple(blob(number, 1000 * 4**number) for number in range(6))
        lock = ServiceLock(
            stack=name,
            inputs=inputs_digest(service),
            reference=f"registry.example.org/team/speaks@sha256:{blobs[0].sha256}",
            blobs=blobs,
        )
        (folder / "stack.lock").write_text(_text(lock.stack, lock.inputs, lock.reference, lock.blobs))


def edited(here: Site, name: str, before: str, after: str) -> None:
    path = here.stacks / name / "stack.yaml"
    path.write_text(path.read_text().replace(before, after))


@pytest.fixture(scope="session")
def states(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """whole, locked, failed, old, stale, partial, none, damaged, index; and the services speaks and silent."""
    here = site(tmp_path_factory.mktemp("site"))
    for name in ("whole", "locked", "failed", "old", "stale", "partial", "none", "damaged", "index"):
        add_stack(
            here, name, {one: wheel(one, one * (9000 // place)) for place, one in enumerate(("alpha", "beta"), 1)}
        )
    made(here, "whole", result("test_python_is_there"), result("test_gpu", "skipped", "no GPU was asked for"))
    made(here, "failed", result("test_it"), result("test_it_not", "failed", f"it said {HOSTILE}"))
    made(here, "old", result("test_it"), lock="0" * 64)
    edited(here, "whole", "made for a test", f"made for {HOSTILE.replace('(', '').replace(')', '')}")
    edited(here, "stale", "packages: [", 'packages: ["gamma==1", ')
    lock = store.read(here.stacks / "partial")
    left = (Unresolved(kind="deb", name="ffmpeg"),)
    store.write(here.stacks / "partial", replace(lock, unresolved=left), instead_of=lock)
    (here.stacks / "none" / "stack.lock").unlink()
    (here.stacks / "damaged" / "stack.lock").write_text("not a lock")
    add_service(here, "speaks", locked=True)
    add_service(here, "silent", locked=False)
    return here


def written(
    here: Site, out: Path, *, settings: Settings | None = None, others: tuple[Path, ...] = ()
) -> dict[str, str]:
    """The pages of all stacks of a site, by their path below the folder."""
    own = settings or load(environ={**os.environ, **here.environment})
    stacks = Stacks(own)
    names = sorted(name for name, folder in stacks.folders.items() if folder.parent == here.stacks)
    paths = write(stacks.named(names), own, out, given(others))
    return {str(path.relative_to(out)): path.read_text() for path in paths}
