"""What the smoke verb tells the pytest process it starts, and the fixtures' types that the checks use."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter

from builder.engine.endpoint import Endpoint
from builder.inside import Place, ProbeError, probe

PROBE_SECONDS = 180  # the first CUDA call may read gigabytes of libraries from a cold disk
UNKNOWN_UID = 4242  # a user without an entry in passwd, as `docker run --user` and Kubernetes give
PROBE_BYTES = 8_000_000  # of each output: a probe's document has some kilobytes
_PROBES = Path(__file__).resolve().parent / "probes"

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
    imports: modules that the stack names. packages: projects whose modules are imported where it names none.
    scripts: console scripts of the stack's own projects. own: the text of each of the stack's own checks, by name.
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
    imports: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    scripts: tuple[str, ...] = ()
    own: dict[str, str] = field(default_factory=dict)

    @property
    def imported(self) -> list[str]:
        """What the check `imports` imports: `module NAME`, or `package PROJECT` for all that it installs; and what
        `script NAME` starts."""
        modules = [f"module {one}" for one in self.imports] or [f"package {one}" for one in self.packages]
        return [*modules, *(f"script {one}" for one in self.scripts)]


@dataclass(frozen=True, kw_only=True)
class Promised:
    """What a service promises. image: its name in the engine. ids: by which stores name the locked image.

    compose: path of its compose file. url: where it says that it is ready. docker: the words of the docker command,
    for compose. endpoint: of the engine.
    """

    image: str
    ids: tuple[str, ...]
    compose: str
    ports: tuple[int, ...]
    volumes: tuple[str, ...]
    gpu: bool
    secrets: tuple[str, ...]
    url: str
    docker: tuple[str, ...]
    endpoint: Endpoint


@dataclass(frozen=True, kw_only=True)
class Brief:
    """One run of the checks.

    kind: of the target. expected: None where no stack is named. no_gpu: why there is no GPU, "" where there is.
    service: what a service promises, where one is judged.
    """

    kind: Kind
    place: Place
    expected: Expected | None
    gpu_mode: str
    no_gpu: str
    record: Path
    service: Promised | None = None

    def write(self, path: Path) -> None:
        """Put the session into a JSON file for `read`."""
        path.write_bytes(TypeAdapter(Brief).dump_json(self))

    @classmethod
    def read(cls, path: Path) -> Brief:
        """The session that `write` put there."""
        return TypeAdapter(Brief).validate_json(path.read_bytes())


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

    def __call__(self, name: str, *arguments: str, before: str = "", stranger: bool = False) -> dict[str, Any]:
        """before: the text of a program that the probe stands below, in one file. stranger: as a user that is not in
        the image's passwd, with what docs/running.md gives to it and no more."""
        key = " ".join((name, *arguments, *([f"as user {UNKNOWN_UID}"] if stranger else [])))
        self.asked.append(key)
        if key not in self.answers and key not in self.failures:
            started = time.monotonic()
            try:
                self.answers[key] = self._run(key, name, arguments, before, stranger=stranger)
            except ProbeError as error:
                self.failures[key] = str(error)
            self.seconds[key] = round(time.monotonic() - started, 3)
        if key in self.failures:
            raise ProbeError(self.failures[key])
        return self.answers[key]

    def _run(self, key: str, name: str, arguments: tuple[str, ...], before: str, *, stranger: bool) -> dict[str, Any]:
        place = replace(self.place, user=str(UNKNOWN_UID), environment={"HOME": "/tmp"}) if stranger else self.place  # noqa: S108
        script = before + (_PROBES / f"{name}.py").read_text(encoding="utf-8")
        said = probe.ask(place, name, script, arguments, seconds=PROBE_SECONDS, limit=PROBE_BYTES)
        self.stderr[key] = said.err
        return probe.document(name, said)
