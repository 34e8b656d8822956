"""What can be proved of a service: its compose file, its image, and the service itself where it runs."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path

import yaml

from builder.build.service import is_locked
from builder.engine.client import Engine
from builder.errors import JobError
from builder.files import write_atomic
from builder.lock.service import ServiceLock
from builder.render.service import render, tag
from builder.settings import Settings
from builder.smoke.report import Gpu, GpuMode, Outcome, Result, SmokeReport
from builder.spec.service import Service

_SECONDS = 10  # for the service to answer


class _Skipped(Exception):
    """The test cannot run here; the text says why."""


@dataclass(frozen=True, kw_only=True)
class _Case:
    service: Service
    lock: ServiceLock
    tag: str
    engine: Engine
    compose: Path
    gpu: GpuMode


def smoke(
    service: Service, lock: ServiceLock, settings: Settings, engine: Engine, *, gpu: GpuMode = "auto"
) -> SmokeReport:
    """Test a service; failing tests are in the report, not raised. Writes to build/NAME/smoke/.

    The service is asked only where it runs already; under gpu="require" it has to. Raises JobError where its image is
    not in the engine.
    """
    began, folder, name = time.monotonic(), settings.build / service.name / "smoke", tag(service, lock, settings)
    image = engine.image(name)
    if image is None:
        raise JobError(f"there is no image {name}", fix=f"run `make build STACK={service.name}`")
    compose = render(service, lock, settings).compose
    case = _Case(service=service, lock=lock, tag=name, engine=engine, compose=compose, gpu=gpu)
    report = SmokeReport(
        stack=service.name,
        target="image",
        name=name,
        image_id=image.id,
        python={},
        gpu=Gpu(mode=gpu, arguments=(), reason="the service takes its GPU by its compose file"),
        results=tuple(_judged(test, case) for test in _TESTS),
        seconds=round(time.monotonic() - began, 3),
        junit=folder / "junit.xml",
        evidence=folder / "evidence.json",
    )
    write_atomic(report.junit, _junit(report))
    write_atomic(report.evidence, json.dumps(report.document(), indent=2) + "\n")
    return report


def _judged(test: Callable[[_Case], None], case: _Case) -> Result:
    started, reason = time.monotonic(), ""
    outcome: Outcome = "passed"
    try:
        test(case)
    except _Skipped as skipped:
        outcome, reason = ("failed" if case.gpu == "require" and test is _running else "skipped"), str(skipped)
    except AssertionError as error:
        outcome, reason = "failed", str(error)
    return Result(
        check="service",
        test=(test.__doc__ or "").rstrip("."),
        outcome=outcome,
        reason=reason,
        seconds=round(time.monotonic() - started, 3),
        needs_gpu=test is _running,
    )


def _structure(case: _Case) -> None:
    """the compose file says what the stack says."""
    document = yaml.safe_load(case.compose.read_text())
    one, service = document["services"]["service"], case.service
    _must(one["image"] == case.tag, "it starts another image")
    _must(one["pull_policy"] == "never", "it would ask a registry")
    ports = [f"${{BIND:-127.0.0.1}}:{number}:{number}" for number in service.ports.values()]
    _must(one["ports"] == ports, "its ports are not those of the stack")
    _must(set(document.get("volumes", {})) == set(service.volumes), "its volumes are not those of the stack")
    _must(("deploy" in one) == service.gpu, "its GPU is not as the stack has it")


def _accepted(case: _Case) -> None:
    """docker compose accepts the file."""
    if case.engine.run(["compose", "version"], check=False).returncode:
        raise _Skipped("docker has no compose here; it takes Compose 2.24 or later")
    words = ["compose", "--file", str(case.compose), "config", "--quiet"]
    done = case.engine.run(words, check=False)
    _must(done.returncode == 0, f"docker compose config: {done.stderr.strip()[-500:]}")


def _image(case: _Case) -> None:
    """the image is the locked one."""
    found = case.engine.image(case.tag)
    _must(found is not None and is_locked(found, case.lock), "the engine has another image under its name")


def _no_secret(case: _Case) -> None:
    """no secret has a value in the image or the compose file."""
    words = ["image", "inspect", "--format", "{{json .Config.Env}}", case.tag]
    given = dict(one.partition("=")[::2] for one in json.loads(case.engine.run(words).stdout) or [])
    named = [name for name in case.service.secrets if given.get(name)]
    _must(not named, f"the image has a value for {', '.join(named)}")
    one = yaml.safe_load(case.compose.read_text())["services"]["service"]
    listed = {str(entry).partition("=")[0] for entry in one.get("environment", [])}
    _must(listed.isdisjoint(case.service.secrets), "the compose file names a secret in `environment`")


def _running(case: _Case) -> None:
    """the running service says that it is ready."""
    if case.gpu == "none":
        raise _Skipped("GPU=none: the service runs on a GPU alone")
    health = case.service.health
    url = f"http://127.0.0.1:{case.service.ports[health.port]}{health.path}"
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=_SECONDS) as answer:
            _must(answer.status == 200, f"{url} answers HTTP {answer.status}")
    except urllib.error.HTTPError as error:
        with error:
            _must(False, f"{url} answers HTTP {error.code}")
    except (OSError, HTTPException) as error:
        keys = f" and, for its first start, {', '.join(case.service.secrets)}" if case.service.secrets else ""
        start = f"docker compose --file {case.compose} up --detach --wait"
        raise _Skipped(f"it does not run here ({error}); it needs a GPU{keys}: {start}") from None


_TESTS = (_structure, _accepted, _image, _no_secret, _running)


def _must(true: bool, otherwise: str) -> None:
    if not true:
        raise AssertionError(otherwise)


def _junit(report: SmokeReport) -> bytes:
    counts = {"tests": len(report.results), "failures": report.failed, "skipped": report.skipped}
    suite = ET.Element("testsuite", {"name": report.stack, **{key: str(value) for key, value in counts.items()}})
    for one in report.results:
        case = ET.SubElement(suite, "testcase", {"classname": one.check, "name": one.test, "time": str(one.seconds)})
        if one.outcome != "passed":
            ET.SubElement(case, "failure" if one.outcome == "failed" else "skipped", {"message": one.reason})
    return bytes(ET.tostring(suite, xml_declaration=True, encoding="utf-8"))
