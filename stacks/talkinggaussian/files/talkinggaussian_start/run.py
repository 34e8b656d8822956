"""Steps one after the other: what can be known is asked before the first, and each must leave what the next needs."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from talkinggaussian_start.errors import InputError, StartError, SurroundingsError
from talkinggaussian_start.steps import Step
from talkinggaussian_start.weights import check_hub

_GRACE = 20  # seconds that a step has to end after a signal


def missing(steps: Sequence[Step]) -> list[StartError]:
    """What the steps need that is not there, nor is left by one of them before."""
    found: dict[str, StartError] = {}
    made: set[Path] = set()
    for step in steps:
        if step.script and not Path(step.script).is_file():
            problem = f"{step.script} is not in {Path.cwd()}"
            found[step.script] = SurroundingsError(problem, "start in the folder of TalkingGaussian, /workspace")
        if not step.script and not shutil.which(step.command[0]):
            problem = f"{step.command[0]} is not on PATH"
            found[step.command[0]] = SurroundingsError(problem, "take an image that has it")
        for path in step.needs:
            if path not in made and not path.is_file():
                found[str(path)] = InputError(f"{step.name} needs {path}, which is not there", _fix(path))
        made.update(step.leaves)
    weights = list(dict.fromkeys(name for step in steps for name in step.weights))
    return [*found.values(), *check_hub(weights)]


def run(steps: Sequence[Step], gpu: str | None, *, resumes: bool) -> None:
    """Run the steps. gpu: what CUDA_VISIBLE_DEVICES is set to, None: left as it is. resumes: `--from` can go on.

    Raises StartError for the first step that failed or left no new file.
    """
    environment = {**os.environ, **({} if gpu is None else {"CUDA_VISIBLE_DEVICES": gpu})}
    for number, step in enumerate(steps, 1):
        say(f"step {number} of {len(steps)}, {step.name}: {shlex.join(step.command)}")
        start = time.time()
        fix = "look at its lines above" + (f", then go on with --from {step.name}" if resumes else "")
        _call(step, environment, fix)
        for aside, path in zip(step.aside, step.leaves):  # noqa: B905 - Python 3.8 has no `strict`
            aside.replace(path)
        for path in step.leaves:
            # files keep whole seconds at worst: one older than that is of an earlier run
            if not path.is_file() or path.stat().st_mtime < start - 2:
                problem = f"{step.name} ended without an error and left no new {path}"
                raise StartError(problem, fix)
        say(f"{step.name} took {time.time() - start:.0f} s")


def _call(step: Step, environment: dict[str, str], fix: str) -> None:
    try:
        process = subprocess.Popen(step.command, env=environment, stdin=subprocess.DEVNULL)
    except OSError as error:
        raise SurroundingsError(f"{step.command[0]} cannot be started: {error}", "take an image that has it") from None
    try:
        code = process.wait()
    except BaseException:
        process.terminate()
        try:
            process.wait(_GRACE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        raise
    if code:
        how = f"ended with code {code}" if code > 0 else f"was ended by signal {-code}"
        raise StartError(f"{step.name} {how}; nothing after it was started", fix)


def _fix(path: Path) -> str:
    if path.name.startswith("chkpnt_"):
        return f"train that step first: --from {path.name.split('_')[1]}"
    if path.name == "out.mp4":
        return "render it first: --from render"
    return "name a file that is there"


def say(line: str) -> None:
    """A line of our own among those of the steps, on stderr."""
    sys.stderr.write(f"talkinggaussian: {line}\n")
    sys.stderr.flush()
