"""The smoke verb: have a target ready, judge it by testinfra, keep the evidence."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from builder.errors import InputError, JobError
from builder.files import write_atomic
from builder.inside import ProbeError
from builder.smoke import evidence
from builder.smoke.brief import Brief, Probes
from builder.smoke.report import GpuMode, Result, SmokeReport
from builder.smoke.subject import CHECKS, Subject, known_checks, of_stack
from builder.smoke.target import VENV, Image, Started, Target

if TYPE_CHECKING:
    from builder.engine.client import Engine
    from builder.lock.model import StackLock
    from builder.settings import Settings
    from builder.spec.model import Stack
    from builder.ui import Ui

_ROOT = Path(__file__).resolve().parent.parent.parent  # where the package is imported from
_NO_TESTS = 5  # pytest's exit code where it had no test to run


def smoke(
    stack: Stack,
    lock: StackLock,
    image: str,
    settings: Settings,
    ui: Ui,
    engine: Engine,
    *,
    gpu: GpuMode = "auto",
    reuse: bool = False,
) -> SmokeReport:
    """Run the stack's smoke tests in a container of its image; see `prove`. Writes to build/NAME/smoke/."""
    subject = of_stack(stack, lock)
    target = Image.find(engine, image, VENV, of=stack.name, fix=f"make build STACK={stack.name}")
    return prove(target, subject, settings.build / stack.name / "smoke", ui, gpu=gpu, reuse=reuse)


def prove(
    target: Target, subject: Subject, folder: Path, ui: Ui, *, gpu: GpuMode = "auto", reuse: bool = False
) -> SmokeReport:
    """Run smoke tests on a target; failing tests are in the report, not raised.

    Writes junit.xml and evidence.json to folder. gpu: `auto` uses the GPU that the target can have, `none` uses
    none, `require` makes every test fail that lacks one. reuse: of an image, give the last run's report where it
    was green and of the same image, lock, tests and GPU.
    Raises InputError where the target cannot run the probes, or `require` meets no test that needs a GPU;
    SurroundingsError where a container does not start with its GPU, JobError where it does not start at all
    or pytest itself breaks.
    """
    began = time.monotonic()
    if reuse and isinstance(target, Image):
        earlier = evidence.earlier(folder, evidence.key(target, subject, target.gpu(gpu)))
        if earlier:
            return earlier
    with tempfile.TemporaryDirectory(prefix="modelstacks-smoke-") as name, target.started(gpu) as ready:
        record = _judge(target, subject, ready, Path(name), ui)
        results = tuple(Result(**result) for result in record["results"])
        if gpu == "require":
            _refuse_idle_gpu(subject, results)
        write_atomic(folder / "junit.xml", (Path(name) / "junit.xml").read_bytes())
    report = SmokeReport(
        stack=subject.stack,
        target=target.kind,
        name=target.name,
        image_id=target.image_id,
        python={word: str(ready.about.get(word)) for word in ("version", "executable", "platform")},
        gpu=ready.gpu,
        results=results,
        seconds=round(time.monotonic() - began, 3),
        junit=folder / "junit.xml",
        evidence=folder / evidence.NAME,
    )
    digest = evidence.key(target, subject, ready.gpu)
    evidence.write(report, digest, record["probes"], engine=target.engine, checks=subject.checks, lock=subject.lock)
    return report


def _judge(target: Target, subject: Subject, ready: Started, aside: Path, ui: Ui) -> dict[str, Any]:
    """What pytest recorded: results and probes, with the GPU's own figures even where no test asked for them."""
    expected = subject.expected
    if expected and target.python != VENV:
        expected = replace(expected, site_packages=str(ready.about.get("site_packages")))
    session = Brief(
        kind=target.kind,
        place=ready.place,
        expected=expected,
        gpu_mode=ready.gpu.mode,
        no_gpu=ready.gpu.reason,
        record=aside / "record.json",
    )
    record = judge(session, subject.files, aside, ui, target.engine)
    if not session.no_gpu and "gpu" not in record["probes"]:
        try:
            record["probes"]["gpu"] = {"figures": Probes(ready.place)("gpu")}
        except ProbeError as error:
            record["probes"]["gpu"] = {"error": str(error)}
    return record


def judge(session: Brief, checks: list[Path], aside: Path, ui: Ui, engine: Engine | None) -> dict[str, Any]:
    """Run the files of smoke tests in pytest; what it recorded. Writes junit.xml to the folder aside.

    Raises JobError where pytest itself breaks.
    """
    session.write(aside / "session.json")
    _pytest(checks, aside, ui, engine)
    record: dict[str, Any] = json.loads(session.record.read_text(encoding="utf-8"))
    return record


def _refuse_idle_gpu(subject: Subject, results: tuple[Result, ...]) -> None:
    """Raise InputError where every test could have passed without a GPU."""
    if any(result.needs_gpu and result.outcome != "skipped" for result in results):
        return
    needing = [name for name in known_checks() if "mark.needs_gpu" in (CHECKS / f"{name}.py").read_text("utf-8")]
    raise InputError(
        f"GPU=require, but no test of {', '.join(subject.checks)} runs on a GPU",
        where=f"stacks/{subject.stack}/stack.yaml" if subject.stack else "",
        fix=f"add a smoke test that does ({', '.join(needing)}), or test without one: GPU=auto",
    )


def _pytest(checks: list[Path], aside: Path, ui: Ui, engine: Engine | None) -> None:
    """Run pytest in a process of its own; what it says is shown where it breaks, what it found is in the report."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    if engine and engine.command() != ["docker"]:  # testinfra calls plain `docker`, which has to reach the same engine
        environment.pop("DOCKER_CONTEXT", None)
        environment["DOCKER_HOST"] = engine.info.host
    command = [sys.executable, "-m", "pytest", "-c", str(CHECKS / "pytest.ini"), f"--rootdir={CHECKS}"]
    command += ["-p", "no:cacheprovider", "-p", "builder.smoke.plugin", f"--smoke-brief={aside / 'session.json'}"]
    command.append(f"--junitxml={aside / 'junit.xml'}")
    said = []
    with (
        ui.working("running the smoke tests") as work,
        subprocess.Popen(
            [*command, *map(str, checks)],
            cwd=_ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        ) as process,
    ):
        try:
            for line in process.stdout or ():
                said.append(line)
                work.doing(line.partition("::")[2].strip())
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        finally:  # with its probes, and what these have left behind
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
    code = process.returncode
    if code not in (0, 1, _NO_TESTS):
        raise JobError(f"pytest ended with code {code}, before it had judged the target", why="".join(said)[-2000:])
