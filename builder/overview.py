"""The verb list: every stack, how far it is, and whether it runs on the GPU here."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

from builder.check.host import case_of
from builder.check.host_gpu import runs
from builder.errors import InputError
from builder.host import nvidia
from builder.host.system import is_wsl, kernel
from builder.lock import inputs_digest, store
from builder.lock import service as service_locks
from builder.lock.existing import readable
from builder.lock.glance import glance
from builder.settings import Settings
from builder.spec import Loaded
from builder.spec.service import Service


@dataclass(frozen=True)
class Row:
    """One stack. lock: fresh, stale, none, damaged, or partial (parts are unresolved). fetched: "n of m" files by name
    and size. gpu: "yes" where it runs on the GPU of this machine, "needs none", or why not."""

    name: str
    family: str
    python: str
    cuda: str | None
    lock: str
    files: int
    fetched: str
    gpu: str
    summary: str

    def document(self) -> dict[str, Any]:
        """For --json."""
        return asdict(self)


def overview(loaded: Iterable[Loaded], settings: Settings) -> list[Row]:
    """A row for each stack and service."""
    driver, wsl = nvidia.read(), is_wsl(kernel())
    rows = []
    for stack in loaded:
        if isinstance(stack, Service):
            rows.append(_service(stack, settings))
            continue
        state, lock = "none", None
        if store.exists(stack.folder):
            try:
                lock = glance(stack.folder)
                whole = "fresh" if lock.whole else "partial"
                state = whole if lock.inputs == inputs_digest(stack) else "stale"
            except InputError:
                state = "damaged"
        files = lock.files if lock else ()
        used = readable(stack.folder) if driver.gpus else None  # which a GPU's row is judged by
        rows.append(
            Row(
                name=stack.name,
                family=stack.family,
                python=stack.python,
                cuda=stack.cuda,
                lock=state,
                files=len(files),
                fetched=f"{_there(files, settings)} of {len(files)}" if lock else "-",
                gpu=runs(case_of(stack, used), driver, wsl=wsl),
                summary=stack.summary,
            )
        )
    return rows


def _service(service: Service, settings: Settings) -> Row:
    state, lock = "none", None
    if store.exists(service.folder):
        try:
            lock = service_locks.read(service.folder)
            state = "fresh" if lock.inputs == service_locks.inputs_digest(service) else "stale"
        except InputError:
            state = "damaged"
    files = [(f"{one.folder}/{one.filename}", one.size) for one in lock.artifacts()] if lock else []
    return Row(
        name=service.name,
        family="service",
        python="-",
        cuda=None,
        lock=state,
        files=len(files),
        fetched=f"{_there(files, settings)} of {len(files)}" if lock else "-",
        gpu="see its page" if service.gpu else "needs none",
        summary=service.summary,
    )


def _there(files: Sequence[tuple[str, int]], settings: Settings) -> int:
    found = 0
    for path, size in files:
        with suppress(OSError):
            found += os.stat(f"{settings.home}/{path}").st_size == size  # noqa: PTH116 - many
    return found
