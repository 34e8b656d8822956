"""The verb list: every stack, how far it is, and whether it runs on the GPU here."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import cache, partial
from typing import Any

from builder.check.host import case_of
from builder.check.host_gpu import runs
from builder.engine.images import tagged
from builder.errors import InputError
from builder.files import read_bounded
from builder.host import nvidia
from builder.host.model import Nvidia
from builder.host.system import is_wsl, kernel
from builder.kept import Kept
from builder.lock import inputs_digest, store
from builder.lock import service as service_locks
from builder.lock.existing import readable
from builder.lock.glance import glance
from builder.render.service import tag as service_tag
from builder.settings import Settings
from builder.spec import Loaded
from builder.spec.service import Service

_MOST = 16 << 20  # bytes of evidence that are read


@dataclass(frozen=True)
class Row:
    """One stack. lock: fresh, stale, none, damaged, or partial (parts are unresolved). fetched: "n of m" files by name
    and size. gpu: "yes" where it runs on the GPU of this machine, "needs none", or why not.

    built: "yes" where the engine has an image of this lock, "no", or "" where no engine answers. proved: what its smoke
    tests passed on, "CPU" or the GPU's name, "" where they did not."""

    name: str
    family: str
    python: str
    cuda: str | None
    lock: str
    files: int
    fetched: str
    gpu: str
    summary: str
    built: str
    proved: str

    @property
    def made(self) -> str:
        """Whether it is built, and on what its smoke tests passed, in a word or three."""
        if self.built != "yes":
            return "no" if self.built else "?"
        return f"built, proved on {self.proved}" if self.proved else "built"

    def document(self) -> dict[str, Any]:
        """For --json."""
        return asdict(self)


def overview(loaded: Iterable[Loaded], settings: Settings) -> list[Row]:
    """A row for each stack and service."""
    with ThreadPoolExecutor(1) as beside, Kept(settings.cache_folder / "locks.sqlite") as kept:
        asked = beside.submit(tagged, settings.image_prefix)  # while files are read
        driver, wsl = nvidia.read(), is_wsl(kernel())
        images = _Images(asked, settings)
        size = cache(partial(_size, settings))  # stacks share most of their files
        return [_row(one, images, kept, size, driver, wsl=wsl) for one in loaded]


_Size = Callable[[str], int | None]


class _Images:
    """What the engine has of the stacks, and what is proved of it."""

    def __init__(self, asked: Future[dict[str, str] | None], settings: Settings) -> None:
        self._asked, self.settings = asked, settings

    def of(self, stack: str, tag: str) -> tuple[str, str]:
        """`built` and `proved` of a row, by the tag that an image of its lock has."""
        names = self._asked.result()
        if names is None:
            return "", ""
        image = names.get(self.settings.image(stack, tag), "")
        return ("yes", self._proof(stack, image)) if image else ("no", "")

    def _proof(self, stack: str, image: str) -> str:
        try:
            document = json.loads(read_bounded(self.settings.build / stack / "smoke" / "evidence.json", _MOST))
            if not document["green"] or document["image_id"] != image:
                return ""
            on_gpu = any(one["needs_gpu"] and one["outcome"] == "passed" for one in document["results"])
            names = dict.fromkeys(str(one["name"]) for one in document["devices"]) if on_gpu else {}
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return ""
        return ", ".join(one.removeprefix("NVIDIA ").removeprefix("GeForce ")[:24] for one in names) or "CPU"


def _row(stack: Loaded, images: _Images, kept: Kept, size: _Size, driver: Nvidia, *, wsl: bool) -> Row:
    if isinstance(stack, Service):
        return _service(stack, images, size)
    state, lock = "none", None
    if store.exists(stack.folder):
        try:
            lock = glance(stack.folder, kept)
            whole = "fresh" if lock.whole else "partial"
            state = whole if lock.inputs == inputs_digest(stack) else "stale"
        except InputError:
            state = "damaged"
    files = lock.files if lock else ()
    used = readable(stack.folder) if driver.gpus else None  # which a GPU's row is judged by
    built, proved = images.of(stack.name, lock.digest[:12] if lock else "-")
    return Row(
        name=stack.name,
        family=stack.family,
        python=stack.python,
        cuda=stack.cuda,
        lock=state,
        files=len(files),
        fetched=f"{_there(files, size)} of {len(files)}" if lock else "-",
        gpu=runs(case_of(stack, used), driver, wsl=wsl),
        summary=stack.summary,
        built=built,
        proved=proved,
    )


def _service(service: Service, images: _Images, size: _Size) -> Row:
    state, lock = "none", None
    if store.exists(service.folder):
        try:
            lock = service_locks.read(service.folder)
            state = "fresh" if lock.inputs == service_locks.inputs_digest(service) else "stale"
        except InputError:
            state = "damaged"
    files = [(f"{one.folder}/{one.filename}", one.size) for one in lock.artifacts()] if lock else []
    tag = service_tag(service, lock, images.settings).rpartition(":")[2] if lock else "-"
    built, proved = images.of(service.name, tag)
    return Row(
        name=service.name,
        family="service",
        python="-",
        cuda=None,
        lock=state,
        files=len(files),
        fetched=f"{_there(files, size)} of {len(files)}" if lock else "-",
        gpu="see its page" if service.gpu else "needs none",
        summary=service.summary,
        built=built,
        proved=proved,
    )


def _there(files: Sequence[tuple[str, int]], size: _Size) -> int:
    return sum(size(path) == wanted for path, wanted in files)


def _size(settings: Settings, path: str) -> int | None:
    """Of a file below the home folder, None where none is there."""
    try:
        return os.stat(f"{settings.home}/{path}").st_size  # noqa: PTH116 - many
    except OSError:
        return None
