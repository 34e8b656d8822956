"""The smoke verb: start one container from the image, judge it by testinfra, keep the evidence."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from builder.errors import InputError, JobError, SurroundingsError
from builder.files import write_atomic
from builder.smoke import evidence
from builder.smoke.report import Gpu, GpuMode, Result, SmokeReport
from builder.smoke.session import Expected, Session

if TYPE_CHECKING:
    from builder.engine.client import Engine
    from builder.lock.model import StackLock
    from builder.settings import Settings
    from builder.spec.model import Stack
    from builder.ui import Ui

_CHECKS = Path(__file__).resolve().parent / "checks"
_ROOT = Path(__file__).resolve().parent.parent.parent
_LIFETIME = 3600  # seconds after which a container that nobody removed ends by itself


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
    """Run the stack's smoke tests in a container of the image; failing tests are in the report, not raised.

    Writes build/NAME/smoke/junit.xml and evidence.json. The container has no network, a read-only root
    and a /tmp in memory, and is removed whatever happens. gpu: `auto` gives the GPU that the engine offers,
    `none` asks for none, `require` makes every test that cannot run fail. reuse: give the last run's report
    where it was green and of the same image, lock, tests and GPU.
    Raises InputError for a test nobody knows or an image that is not there, SurroundingsError where the
    container does not start with its GPU, JobError where it does not start at all or pytest itself breaks.
    """
    started = time.monotonic()
    checks = _check_files(stack)
    facts = engine.image(image)
    if facts is None:
        raise InputError(f"the engine has no image {image}", fix=f"make build STACK={stack.name}")
    asked, expected = _gpu(gpu, engine), _expected(stack, lock)
    folder = settings.build / stack.name / "smoke"
    key = evidence.key(facts.id, lock.digest, asked, expected, checks)
    if reuse and (earlier := evidence.earlier(folder, key)):
        return earlier
    with tempfile.TemporaryDirectory(prefix="modelstacks-smoke-") as name:
        aside = Path(name)
        with _container(stack, facts.id, asked, engine) as container:
            session = Session(
                container=container, expected=expected, gpu_mode=gpu, no_gpu=asked.reason, record=aside / "record.json"
            )
            session.write(aside / "session.json")
            _pytest(checks, aside, ui, engine)
        record = json.loads(session.record.read_text(encoding="utf-8"))
        write_atomic(folder / "junit.xml", (aside / "junit.xml").read_bytes())
    report = SmokeReport(
        stack=stack.name,
        image=image,
        image_id=facts.id,
        gpu=asked,
        results=tuple(Result(**result) for result in record["results"]),
        seconds=round(time.monotonic() - started, 3),
        junit=folder / "junit.xml",
        evidence=folder / evidence.NAME,
    )
    evidence.write(report, key, record["probes"], lock.digest, engine.info)
    return report


def _check_files(stack: Stack) -> list[Path]:
    """The files of the smoke tests that the stack names."""
    known = sorted(path.stem for path in _CHECKS.glob("[a-z]*.py"))
    where = f"stacks/{stack.name}/stack.yaml"
    if not stack.smoke:
        raise InputError(
            f"stack {stack.name} names no smoke test", where=where, fix=f"list some under `smoke`: {', '.join(known)}"
        )
    for name in stack.smoke:
        if name not in known:
            raise InputError(f"no smoke test is called {name}", where=where, fix=f"use one of: {', '.join(known)}")
    return [_CHECKS / f"{name}.py" for name in stack.smoke]


def _gpu(mode: GpuMode, engine: Engine) -> Gpu:
    """What to give the container, and why nothing where it is nothing."""
    if mode == "none":
        return Gpu(mode=mode, arguments=(), reason="GPU=none: no GPU was asked for")
    arguments = tuple(engine.gpu_arguments())
    reason = "" if arguments else "the engine offers no GPU (no CDI device nvidia.com/gpu and no NVIDIA runtime)"
    return Gpu(mode=mode, arguments=arguments, reason=reason)


def _expected(stack: Stack, lock: StackLock) -> Expected:
    """What the tests compare the image with."""
    packages = [one for one in lock.wheels if one.kind in ("wheel", "sdist")]
    return Expected(
        name=stack.name,
        python=stack.python,
        interpreter=stack.interpreter,
        site_packages=stack.site_packages,
        libraries=stack.libraries,
        gpus=stack.gpus,
        cuda=stack.cuda,
        pins={str(canonicalize_name(one.project)): one.version for one in packages},
    )


@contextmanager
def _container(stack: Stack, image_id: str, gpu: Gpu, engine: Engine) -> Iterator[str]:
    """A started container for the length of a with block, by name."""
    name = f"modelstacks-smoke-{stack.name}-{secrets.token_hex(4)}"
    isolation = ["--pull", "never", "--network", "none", "--read-only", "--tmpfs", "/tmp"]  # noqa: S108
    program = ["--entrypoint", "sleep", image_id, str(_LIFETIME)]
    try:
        done = engine.run(["run", "-d", "--rm", "--name", name, *isolation, *gpu.arguments, *program], check=False)
        if done.returncode:
            raise _not_started(stack, gpu, done.stderr.partition("\n\nRun 'docker")[0].strip()[-1000:])
        yield name
    finally:
        engine.run(["rm", "-f", name], check=False)


def _not_started(stack: Stack, gpu: Gpu, said: str) -> JobError | SurroundingsError:
    if gpu.arguments:
        return SurroundingsError(
            f"a container of {stack.name} does not start with the GPU ({' '.join(gpu.arguments)})",
            why=said,
            fix="mend the engine's GPU support, or test without it: GPU=none",
        )
    return JobError(f"a container of {stack.name} does not start", why=said, fix=f"make build STACK={stack.name}")


def _pytest(checks: list[Path], aside: Path, ui: Ui, engine: Engine) -> None:
    """Run pytest in a process of its own, and show its lines as they come."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    if engine.command() != ["docker"]:  # testinfra calls plain `docker`, which has to reach the same engine
        environment.pop("DOCKER_CONTEXT", None)
        environment["DOCKER_HOST"] = engine.info.host
    command = [sys.executable, "-m", "pytest", "-c", str(_CHECKS / "pytest.ini"), f"--rootdir={_CHECKS}"]
    command += ["-p", "no:cacheprovider", "-p", "builder.smoke.plugin", f"--smoke-session={aside / 'session.json'}"]
    command.append(f"--junitxml={aside / 'junit.xml'}")
    said = []
    with subprocess.Popen(
        [*command, *map(str, checks)],
        cwd=_ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            for line in process.stdout or ():
                said.append(line)
                if line.strip():
                    ui.sub("pytest", line.rstrip())
        except BaseException:
            process.terminate()
            raise
    code = process.returncode
    if code not in (0, 1):
        raise JobError(f"pytest ended with code {code}, before it had judged the image", why="".join(said)[-2000:])
