"""What the smoke verb tells the pytest process it starts, and the fixtures' types that the checks use."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from concurrent.futures import FIRST_EXCEPTION, Future, wait
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Literal

from pydantic import TypeAdapter

PROBE_SECONDS = 180  # the first CUDA call may read gigabytes of libraries from a cold disk
UNKNOWN_UID = 4242  # a user without an entry in passwd, as `docker run --user` and Kubernetes give
PROBE_BYTES = 8_000_000  # of each output: a probe's document has some kilobytes
_PROBES = Path(__file__).resolve().parent / "probes"
_LAST_SECONDS = 10  # for a probe to end after it has closed its outputs
_TAIL = 1500  # characters of a crash that are shown: the end of a traceback
# Runs a probe from stdin; the alarm ends it even where nobody is left who waits for it.
_RUNNER = "import signal, sys; signal.alarm({}); exec(compile(sys.stdin.buffer.read(), {!r}, 'exec'))"

Kind = Literal["image", "container", "local"]


@dataclass(frozen=True, kw_only=True)
class Compiled:
    """An extension of the stack. folder: that of an editable one's packages, "" for site-packages."""

    name: str
    imports: tuple[str, ...]
    modules: tuple[str, ...]
    cuda: bool
    folder: str


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What the target should hold: values of the stack, and canonical name -> version of every locked Python package.

    site_packages: of the interpreter that runs the probes. mounted: paths of the weights that are not in the image.
    """

    name: str
    python: str
    interpreter: str
    site_packages: str
    libraries: tuple[str, ...]
    gpus: tuple[str, ...]
    cuda: str | None
    pins: dict[str, str]
    extensions: tuple[Compiled, ...] = ()
    mounted: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where probes run: in a container (docker: the words that begin its command line), or on this machine in a folder.

    python: the interpreter. environment: variables of the probes beside those that are there.
    """

    kind: Kind
    python: str
    environment: dict[str, str]
    docker: tuple[str, ...] = ()
    container: str = ""
    folder: str = ""

    @property
    def backend(self) -> str:
        """The place as testinfra names it."""
        return f"docker://{self.container}" if self.container else "local://"

    def command(self) -> list[str]:
        """What runs the interpreter; in a container from its root folder, so that no working folder helps imports."""
        if not self.container:
            return [self.python]
        variables = [word for item in self.environment.items() for word in ("-e", "=".join(item))]
        return [*self.docker, "exec", "-i", "-w", "/", *variables, self.container, self.python]


@dataclass(frozen=True, kw_only=True)
class Session:
    """One run of the checks. expected: None where no stack is named. no_gpu: why there is no GPU, "" where there is."""

    place: Place
    expected: Expected | None
    gpu_mode: str
    no_gpu: str
    record: Path

    def write(self, path: Path) -> None:
        """Put the session into a JSON file for `read`."""
        path.write_bytes(TypeAdapter(Session).dump_json(self))

    @classmethod
    def read(cls, path: Path) -> Session:
        """The session that `write` put there."""
        return TypeAdapter(Session).validate_json(path.read_bytes())


class ProbeError(AssertionError):
    """A probe crashed, took too long or printed no JSON; the text says which, with the end of what it said."""


@dataclass
class Probes:
    """Runs a script of probes/ by the target's Python, each once per arguments; a failure is kept as well.

    Calling it with a name and arguments gives the probe's JSON document, or raises ProbeError.
    answers, failures, stderr, seconds (wall clock): by name and arguments, joined by spaces.
    asked: what was asked for since it was last cleared.
    """

    place: Place
    answers: dict[str, dict[str, Any]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    stderr: dict[str, str] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def __call__(self, name: str, *arguments: str) -> dict[str, Any]:
        key = " ".join((name, *arguments))
        self.asked.append(key)
        if key not in self.answers and key not in self.failures:
            started = time.monotonic()
            try:
                self.answers[key] = self._run(key, name, arguments)
            except ProbeError as error:
                self.failures[key] = str(error)
            self.seconds[key] = round(time.monotonic() - started, 3)
        if key in self.failures:
            raise ProbeError(self.failures[key])
        return self.answers[key]

    def _run(self, key: str, name: str, arguments: tuple[str, ...]) -> dict[str, Any]:
        runner = _RUNNER.format(PROBE_SECONDS + _LAST_SECONDS, f"<probe {name}>")
        command = [*self.place.command(), "-c", runner, *arguments]
        try:
            code, stdout, self.stderr[key] = _outputs(command, (_PROBES / f"{name}.py").read_bytes(), self.place)
        except (TimeoutError, subprocess.TimeoutExpired):
            raise ProbeError(f"probe {name} gave no answer within {PROBE_SECONDS} s") from None
        except OverflowError:
            raise ProbeError(f"probe {name} printed more than {PROBE_BYTES} bytes") from None
        except OSError as error:
            raise ProbeError(f"probe {name} does not start: {error}") from None
        if code:
            said = (self.stderr[key] or stdout).strip()[-_TAIL:]
            raise ProbeError(f"probe {name} ended with code {code}: {said}")
        try:
            answer = json.loads(stdout.strip().splitlines()[-1])
        except (IndexError, ValueError, RecursionError):
            raise ProbeError(f"probe {name} printed no JSON document: {stdout[-_TAIL:]!r}") from None
        if not isinstance(answer, dict):
            raise ProbeError(f"probe {name} printed {type(answer).__name__}, not a JSON object")
        return answer


def _outputs(command: list[str], script: bytes, place: Place) -> tuple[int, str, str]:
    """Exit code and both outputs of a probe. Raises TimeoutError, or OverflowError where it prints without end."""
    process = subprocess.Popen(
        command,
        env=dict(os.environ) if place.container else {**os.environ, **place.environment},
        cwd=place.folder or None,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdin and process.stdout and process.stderr  # noqa: S101
    try:
        threading.Thread(target=_feed, args=(process.stdin, script), daemon=True).start()
        outputs = [_reader(process.stdout), _reader(process.stderr)]
        ended, running = wait(outputs, PROBE_SECONDS, FIRST_EXCEPTION)
        texts = [output.result() for output in outputs if output in ended]
        if running:
            raise TimeoutError
        return process.wait(_LAST_SECONDS), texts[0], texts[1]
    finally:
        process.kill()
        process.wait()


def _feed(stream: IO[bytes], data: bytes) -> None:
    with suppress(BrokenPipeError), stream:  # a probe that ended before it read says why on stderr
        stream.write(data)


def _reader(stream: IO[bytes]) -> Future[str]:
    """A stream's text, once it ends. Its thread holds nobody up, as what a probe started may keep the stream open."""
    text: Future[str] = Future()

    def read() -> None:
        with stream:
            data = stream.read(PROBE_BYTES + 1)
        if len(data) > PROBE_BYTES:
            text.set_exception(OverflowError())
        else:
            text.set_result(data.decode("utf-8", "replace"))

    threading.Thread(target=read, daemon=True).start()
    return text
