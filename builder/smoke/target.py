"""What smoke tests can be run on: an image, a running container, this machine. Each gives a place for the probes."""

from __future__ import annotations

import re
import secrets
import shutil
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from builder.errors import InputError, JobError, SurroundingsError
from builder.inside import Place, ProbeError, container
from builder.smoke.brief import Kind, Probes
from builder.smoke.report import GpuAccess, GpuMode

if TYPE_CHECKING:
    from builder.engine.client import Engine

VENV = "/opt/venv/bin/python"  # where our templates put the virtual environment
_LIFETIME = 3600  # seconds after which a container that nobody removed ends by itself
_OLDEST = (3, 8)  # the Python that probes are written for
_MEMORY = "/dev/shm"  # noqa: S108 - a container has it in memory, unless it was started without
_NOT_ASKED = "GPU=none: no GPU was asked for"
_CACHES = (  # what the packages of a stack write to beside the temporary folder, each where its variable says
    *("TMPDIR", "CUDA_CACHE_PATH", "TRITON_CACHE_DIR", "TORCHINDUCTOR_CACHE_DIR"),
    *("NUMBA_CACHE_DIR", "MPLCONFIGDIR", "SKIMAGE_DATADIR"),
)


@dataclass(frozen=True, kw_only=True)
class Started:
    """A target that is ready. about: what the probe `interpreter` says of it."""

    place: Place
    gpu: GpuAccess
    about: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Target(ABC):
    """What is tested. name: as the user gave it. python: what runs the probes. image_id: "" where there is none."""

    kind: ClassVar[Kind]
    name: str
    python: str
    engine: Engine | None = None
    image_id: str = ""

    @abstractmethod
    def started(self, mode: GpuMode) -> AbstractContextManager[Started]:
        """The target ready for probes, for the length of a with block."""

    def _ready(self, place: Place, gpu: GpuAccess) -> Started:
        """Raises InputError (JobError of our own images) where the interpreter does not run, or is too old."""
        try:
            about = Probes(place)("interpreter")
        except ProbeError as error:
            problem, why = f"{self.python} does not run in {self.name}", str(error)
            if self.python == VENV:
                raise JobError(
                    problem, why=why, fix="build the image anew; a foreign one needs --python PATH"
                ) from None
            raise InputError(problem, why=why, fix="name another: --python PATH") from None
        found = re.match(r"(\d{1,4})\.(\d{1,4})\b", str(about.get("version")))
        if not found or (int(found[1]), int(found[2])) < _OLDEST:
            raise InputError(
                f"{self.python} in {self.name} is Python {about.get('version')}; the probes need 3.8 or newer",
                fix="name another: --python PATH",
            )
        return Started(place=place, gpu=gpu, about=about)

    def _as_it_is(self, place: Place, mode: GpuMode) -> Started:
        """Like _ready, where the GPU is what the place has already; under GPU=none it is hidden from the probes."""
        if mode == "none":
            hidden = {**place.environment, "CUDA_VISIBLE_DEVICES": ""}
            return self._ready(
                replace(place, environment=hidden), GpuAccess(mode=mode, arguments=(), reason=_NOT_ASKED)
            )
        started, reason = self._ready(place, GpuAccess(mode=mode, arguments=(), reason="")), ""
        if started.about.get("hidden"):
            reason = f"CUDA_VISIBLE_DEVICES hides every GPU of {self.name}"
        elif not started.about.get("gpu"):
            reason = f"{self.name} shows no GPU (no /dev/nvidia0 or /dev/dxg, and no driver that counts one)"
        return replace(started, gpu=replace(started.gpu, reason=reason))


@dataclass(frozen=True, kw_only=True)
class Image(Target):
    """An image in the engine, tested in a container of its own.

    That has no network, a read-only root and a /tmp in memory, and is removed whatever happens.
    of: what its name is made of. fix: what to do where the image is not there, or does not start.
    """

    kind = "image"
    engine: Engine
    of: str
    fix: str

    @classmethod
    def find(cls, engine: Engine, reference: str, python: str, *, of: str, fix: str) -> Image:
        """The image of that name or id. Raises InputError where the engine has none."""
        facts = None if reference.startswith("-") else engine.image(reference)
        if facts is None:
            raise InputError(f"the engine has no image {reference}", fix=fix)
        return cls(name=reference, python=python, engine=engine, image_id=facts.id, of=of, fix=fix)

    def gpu(self, mode: GpuMode) -> GpuAccess:
        """What to give the container, and why nothing where it is nothing."""
        if mode == "none":
            return GpuAccess(mode=mode, arguments=(), reason=_NOT_ASKED)
        arguments = tuple(self.engine.gpu_arguments())
        reason = "" if arguments else "the engine offers no GPU (no CDI device nvidia.com/gpu and no NVIDIA runtime)"
        return GpuAccess(mode=mode, arguments=arguments, reason=reason)

    @contextmanager
    def started(self, mode: GpuMode) -> Iterator[Started]:
        """Raises SurroundingsError where the container does not start with its GPU, JobError where not at all."""
        gpu = self.gpu(mode)
        name = f"modelstacks-smoke-{self.of}-{secrets.token_hex(4)}"
        try:
            try:
                self.engine.start(self.image_id, ("sleep", str(_LIFETIME)), name=name, gpu=bool(gpu.arguments))
            except JobError as error:
                raise self._not_started(gpu, error.why[-1000:]) from None
            yield self._ready(_inside(self, name, "/tmp"), gpu)  # noqa: S108
        finally:
            self.engine.remove_container(name, running=True)

    def _not_started(self, gpu: GpuAccess, said: str) -> JobError | SurroundingsError:
        if gpu.arguments:
            return SurroundingsError(
                f"a container of {self.name} does not start with the GPU ({' '.join(gpu.arguments)})",
                why=said,
                fix="mend the engine's GPU support, or test without it: GPU=none",
            )
        return JobError(f"a container of {self.name} does not start", why=said, fix=self.fix)


@dataclass(frozen=True, kw_only=True)
class Container(Target):
    """A running container, left as it is: the probes write to its /dev/shm alone, which is memory, and tidy up."""

    kind = "container"
    engine: Engine
    container_id: str

    @classmethod
    def find(cls, engine: Engine, name: str, python: str) -> Container:
        """The running container of that name or id. Raises InputError where there is none, or it does not run."""
        facts = container.find(engine, name, otherwise=", or test its image: --image {image}")
        return cls(name=name, python=python, engine=engine, image_id=facts["Image"], container_id=facts["Id"])

    @contextmanager
    def started(self, mode: GpuMode) -> Iterator[Started]:
        """Raises InputError where the container has no memory to write to."""
        started = self._as_it_is(_inside(self, self.container_id, _MEMORY), mode)
        if not started.about.get("memory_folder"):
            raise InputError(
                f"{self.name} has no writable {_MEMORY}, and nothing else in it may be written",
                fix=f"test its image in a container of its own: --image {self.image_id}",
            )
        yield started


@dataclass(frozen=True, kw_only=True)
class Local(Target):
    """This machine itself, as the shell sees it. The probes write to a temporary folder, which is removed."""

    kind = "local"

    @classmethod
    def find(cls, python: str) -> Local:
        """This machine with that interpreter, a path or a name on PATH. Raises InputError where there is none."""
        path = shutil.which(python)
        if path is None:
            raise InputError(f"there is no {python} to run here", fix="name the interpreter: --python PATH")
        return cls(name="this machine", python=str(Path(path).absolute()))

    @contextmanager
    def started(self, mode: GpuMode) -> Iterator[Started]:
        with tempfile.TemporaryDirectory(prefix="modelstacks-probes-") as folder:
            place = Place(python=self.python, environment=_writing(folder), folder=folder, group=False)
            yield self._as_it_is(place, mode)


def _writing(folder: str) -> dict[str, str]:
    """Variables by which what a probe loads writes to a folder and nowhere else."""
    return {**dict.fromkeys(_CACHES, folder), "PYTHONDONTWRITEBYTECODE": "1"}


def _inside(target: Image | Container, name: str, folder: str) -> Place:
    return Place(python=target.python, environment=_writing(folder), endpoint=target.engine.endpoint, container=name)
