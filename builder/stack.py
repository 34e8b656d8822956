"""The verb stack: check, lock, fetch, render, build and smoke in one go, each doing only what is not done yet."""

# what a run that finds everything done does not need is imported where it is needed
# ruff: noqa: PLC0415

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from builder.build import Built, build, compile_all
from builder.check import check, packaged_facts
from builder.check.verb import judged, refuse_errors
from builder.engine.client import Engine
from builder.errors import InputError, JobError
from builder.fetch import Fetched, fetch
from builder.fetch.pending import settle
from builder.files import write_atomic
from builder.lock import store
from builder.lock.existing import fresh, locked, required
from builder.lock.verb import complete
from builder.lock.verb import lock as write_lock
from builder.render.running import COMPOSE, command
from builder.settings import Settings
from builder.smoke import GpuMode, SmokeReport, smoke
from builder.spec import Loaded
from builder.spec.model import Stack
from builder.spec.service import Service
from builder.ui import Ui, human_bytes

Ask = Callable[[], None] | None
RECORD = "made.json"  # in build/NAME: the seconds of the last run that built it


@dataclass(frozen=True)
class Made:
    """What one run of `stack` did: the image, its smoke report, and the seconds each verb took."""

    built: Built
    fetched: Fetched
    report: SmokeReport
    seconds: dict[str, float]
    command: str

    def document(self) -> dict[str, Any]:
        """For --json."""
        return {
            "image": self.built.document(),
            "run": self.command,
            "fetch": self.fetched.document(),
            "smoke": self.report.document(),
            "seconds": {verb: round(value, 3) for verb, value in self.seconds.items()},
        }

    def conclude(self, ui: Ui) -> None:
        """The closing tables. Raises JobError where a smoke test failed."""
        built, seconds = self.built, self.seconds
        rows = [["tag", built.tag], ["id", built.id], ["size", human_bytes(built.size)]]
        rows += [[f"{verb}, seconds", f"{value:.1f}"] for verb, value in seconds.items()]
        rows.append(["all, seconds", f"{sum(seconds.values()):.1f}"])
        ui.table(f"{built.stack}: {'built' if built.built else 'unchanged'}", ["", ""], rows)
        self.report.table(ui)
        if self.report.green:
            ui.tell(f"run it: {self.command}", whole=True)
            ui.tell(f"more: docs/running.md; compose.yaml and pod.yaml: make compose STACK={built.stack}")
        if not self.report.green:
            problem = f"{self.report.failed} smoke tests of {built.stack} failed"
            raise JobError(problem, where=str(self.report.junit), fix="see the table above")


def last_seconds(settings: Settings, name: str) -> float | None:
    """What the last run that built it took here; None where none did."""
    try:
        seconds = json.loads((settings.build / name / RECORD).read_text())["seconds"]
        return round(float(sum(seconds.values())), 1)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


@contextmanager
def timed(seconds: dict[str, float], verb: str) -> Iterator[None]:
    """Note under the verb how long the with block takes."""
    started = time.monotonic()
    try:
        yield
    finally:
        seconds[verb] = time.monotonic() - started


def make(
    one: Loaded,
    settings: Settings,
    ui: Ui,
    *,
    gpu: GpuMode,
    offline: bool = False,
    frozen: bool = False,
    ask: Ask = None,
) -> Made:
    """Bring a stack from its file to a smoke-tested image; of a service, pull its image and test it.

    offline: ask no network, neither to lock nor to fetch. frozen: refuse pending hashes. ask: called before a first
    lock is resolved; it raises what keeps that from being done.
    Raises InputError (stack, lock or findings), JobError (a download, the build or a smoke test
    failed) or SurroundingsError.
    """
    if isinstance(one, Service):
        made = _service(one, settings, ui, gpu=gpu, offline=offline)
    else:
        made = _stack(one, settings, ui, gpu=gpu, offline=offline, frozen=frozen, ask=ask)
    if made.built.built:  # how long the next one may take
        seconds = {verb: round(value, 3) for verb, value in made.seconds.items()}
        write_atomic(settings.build / one.name / RECORD, json.dumps({"seconds": seconds}))
    made.conclude(ui)
    return made


def _stack(
    stack: Stack, settings: Settings, ui: Ui, *, gpu: GpuMode, offline: bool, frozen: bool, ask: Ask = None
) -> Made:
    seconds: dict[str, float] = {}
    if not store.exists(stack.folder):
        refuse_errors(check(stack, None), ui)
        _require_network(stack, offline=offline)
        with timed(seconds, "lock"):
            from builder.lock import resolve

            resolve.lock(stack, stack.folder, settings, ui, judge=judged(stack, ui), ask=ask)
    with timed(seconds, "complete"):
        lock = required(stack, complete(stack, settings, ui, fixed=offline or frozen))
    with timed(seconds, "check"):
        refuse_errors(check(stack, lock), ui)
    lock = settle(lock, stack.folder, settings, ui, frozen=frozen or offline)
    engine = Engine.connect(builds=False)
    if engine.image(settings.image(stack.name)) is None:
        engine.require_buildx()  # before anything is fetched; where there is an image, only once another is built
    with timed(seconds, "fetch"):
        fetched = fetch(lock.artifacts(), lock.indexes, settings, ui, offline=offline)
    with timed(seconds, "compile"):
        lock = compile_all(stack, lock, stack.folder, settings, engine, ui, frozen=frozen, offline=offline)
    with timed(seconds, "build"):
        built = build(stack, lock, settings, engine, ui)
    with timed(seconds, "smoke"):
        report = smoke(stack, lock, built.tag, settings, ui, engine, gpu=gpu, reuse=True)
    return Made(built, fetched, report, seconds, command(stack, built.tag))


def _service(service: Service, settings: Settings, ui: Ui, *, gpu: GpuMode, offline: bool) -> Made:
    from builder.build.service import build as load_image
    from builder.check.service import check as check_service
    from builder.render.service import render as write_compose
    from builder.smoke.service import smoke as smoke_service

    seconds: dict[str, float] = {}
    refuse_errors(check_service(service, fresh(service), packaged_facts()), ui)
    if not store.exists(service.folder):
        _require_network(service, offline=offline)
        with timed(seconds, "lock"):
            write_lock(service, settings, ui)
    lock = locked(service)
    engine = Engine.connect()
    with timed(seconds, "fetch"):
        fetched = fetch(lock.artifacts(), {}, settings, ui, offline=offline)
    with timed(seconds, "build"):
        write_compose(service, lock, settings)
        built = load_image(service, lock, settings, engine, ui)
    with timed(seconds, "smoke"):
        report = smoke_service(service, lock, settings, ui, engine, gpu=gpu)
    return Made(built, fetched, report, seconds, f"docker compose -f {settings.build / service.name / COMPOSE} up")


def _require_network(one: Loaded, *, offline: bool) -> None:
    if offline:
        raise InputError(f"{one.name} has no lock; OFFLINE forbids making one", fix="bring it by `make import`")
