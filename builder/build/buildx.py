"""One run of `docker buildx build`: without a network, its steps shown as they run, its whole log kept."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections import deque
from collections.abc import Mapping
from pathlib import Path

from builder.build.builders import Builder
from builder.engine.client import Engine
from builder.errors import JobError, ModelstacksError, SurroundingsError
from builder.render import Rendered
from builder.render.guard import require_ours
from builder.ui import Ui, human_bytes

_LINE = re.compile(r"^#(?P<number>\d+) (?P<text>.+)$")
_WIDTH = 110  # characters of a step's command that are shown; the log has all of it
_ENGINE_GONE = re.compile(
    r"Cannot connect to the Docker daemon|error reading from server|connection refused|: EOF$|closing"
)
_NOT_BOOTED = re.compile(r'error for bootstrap "([^"]*)"')  # of a builder of the setting `builder`
_NO_SPACE = re.compile(r"no space left on device", re.I)


def run(
    rendered: Rendered,
    engine: Engine,
    ui: Ui,
    *,
    tags: tuple[str, ...],
    labels: Mapping[str, str],
    epoch: int,
    use_cache: bool = True,
    by: Builder | None = None,
) -> None:
    """Build a rendered stack into the engine's image store. by: the BuildKit, None for the engine's own.

    The log of every step is left in build/NAME/build.log. Raises JobError with the first words of the
    step that failed, SurroundingsError where the engine went away or its disk is full.
    """
    by = by or Builder(engine.info.context)
    command = [*_command(rendered, engine, epoch, by), "--output", output(engine, tags, by.out)]
    for key, value in sorted(labels.items()):
        command += ["--label", f"{key}={value}"]
    command += by.cached(rendered.folder.name) if use_cache else ["--no-cache"]
    _watch(command, rendered, ui, epoch)
    if by.out:
        ui.sub("build", f"loading {human_bytes(by.out.stat().st_size)} into the engine")
        engine.load(by.out)


def extract(
    rendered: Rendered,
    engine: Engine,
    ui: Ui,
    out: Path,
    *,
    epoch: int,
    arguments: Mapping[str, str],
    by: Builder | None = None,
) -> None:
    """Build, and put the files of the last stage into the folder out instead of the engine's image store.

    by, log and errors as `run` has them.
    """
    command = [
        *_command(rendered, engine, epoch, by or Builder(engine.info.context)),
        "--output",
        f"type=local,dest={out}",
    ]
    for key, value in arguments.items():
        command += ["--build-arg", f"{key}={value}"]
    _watch(command, rendered, ui, epoch)


def _command(rendered: Rendered, engine: Engine, epoch: int, by: Builder) -> list[str]:
    # It lies in a folder that anybody may write to, and is held to what we make where it is used.
    require_ours(rendered.dockerfile.read_text(), rendered.contexts, str(rendered.dockerfile))
    engine.require_buildx()
    command = engine.command("buildx", "build", "--progress=plain", "--network=none", "--provenance=false")
    command += [*by.words(), "--file", str(rendered.dockerfile), "--platform=linux/amd64"]
    command += ["--build-arg", f"SOURCE_DATE_EPOCH={epoch}"]
    for name, folder in sorted(rendered.contexts.items()):
        command += ["--build-context", f"{name}={folder}"]
    return [*command, str(rendered.folder / "contexts" / "empty")]


def output(engine: Engine, tags: tuple[str, ...], out: Path | None = None) -> str:
    """Where the image goes; only the containerd store keeps layers compressed, and zstd is the quickest there.

    out: an archive for the engine to load, of a BuildKit that is not its own.
    """
    output = f'type=image,"name={",".join(tags)}"'
    if out:
        output = f'type=docker,dest={out},"name={",".join(tags)}"'
    if engine.info.store == "containerd":
        return f"{output},oci-mediatypes=true,compression=zstd,compression-level=1"
    return f"{output},compression=uncompressed" if out else output


def _watch(command: list[str], rendered: Rendered, ui: Ui, epoch: int) -> None:
    log = rendered.folder / "build.log"
    if shutil.which("setpriv"):  # a run that is killed takes the docker command along, which would build on
        command = ["setpriv", "--pdeathsig", "TERM", "--", *command]
    environment = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}
    environment["SOURCE_DATE_EPOCH"] = str(epoch)
    last: deque[str] = deque(maxlen=40)
    steps = _Steps()
    with (
        log.open("w") as kept,
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
        ) as child,
    ):
        try:
            for line in child.stdout or ():
                kept.write(line)
                last.append(line.rstrip())
                if spoken := steps.spoken(line):
                    ui.sub("build", spoken)
        except BaseException:
            child.terminate()
            raise
    if child.returncode != 0:
        raise _recognised(_failure("\n".join(last), log), log)


class _Steps:
    """BuildKit's plain progress, told shorter: each step once when it starts and once when it is done."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}

    def spoken(self, line: str) -> str:
        """What to say of a line, "" for nothing."""
        match = _LINE.match(line)
        if not match:
            return ""
        number, text = match["number"], match["text"].strip()
        if text.startswith("["):
            return self._begun(number, text)
        name = self._names.get(number, "")
        if name and (text == "CACHED" or (text.startswith("DONE ") and text != "DONE 0.0s")):
            return f"{name} {text.lower()}"
        return f"{name} {text}" if re.match(r"ERROR|\d+\.\d+ ", text) else ""

    def _begun(self, number: str, text: str) -> str:
        if number in self._names or text.startswith("[internal]") or "load .dockerignore" in text:
            return ""
        self._names[number] = text.split("]", maxsplit=1)[0] + "]"
        return text if len(text) <= _WIDTH else f"{text[:_WIDTH]}…"


def _recognised(error: ModelstacksError, log: Path) -> ModelstacksError:
    """The error of a failed step with cause and fix of the first known failure in the whole log."""
    from builder.failures import recognise_file  # noqa: PLC0415 - of a build that failed alone

    first = next((one for one in recognise_file(log).matches if one.level == "error"), None)
    if first and isinstance(error, JobError):
        error.why += f"\nknown failure {first.failure.id}: {first.cause}"
        error.fix = f"{first.stack or first.fix}; `make doctor LOG={log}` says more"
    return error


def _failure(said: str, log: Path) -> ModelstacksError:
    reason = next((line for line in reversed(said.splitlines()) if line.startswith("ERROR:")), said[-300:])
    step = re.search(r"^------\n > (\[[^\]]+\])[^\n]*\n(.*?)\n------$", said, re.M | re.S)
    if _NO_SPACE.search(said):
        fix = "free space under the engine's root folder (`docker system df`, `docker builder prune`)"
        return SurroundingsError("the engine's disk is full", where=str(log), why=reason, fix=fix)
    if _NOT_BOOTED.search(reason):
        fix = "`docker buildx inspect --bootstrap`, with its name after it, shows what it lacks"
        return SurroundingsError("the builder does not start", where=str(log), why=reason, fix=fix)
    if _ENGINE_GONE.search(reason):
        fix = "start it again (`make engine`), then run the same command: finished stages are kept"
        return SurroundingsError("the engine went away during the build", where=str(log), why=reason, fix=fix)
    if step:
        words = re.sub(r"^\d+\.\d+ ", "", step[2], flags=re.M).strip()
        fix = "its whole output is in the log; where a wheel is at fault, run `make fetch VERIFY=1`"
        return JobError(f"step {step[1]} of the build failed", where=str(log), why=words[-800:], fix=fix)
    return JobError(
        "the build failed", where=str(log), why=reason.removeprefix("ERROR: "), fix="read the end of the log"
    )
