"""The verb stack: check, lock, fetch, render, build and smoke in one go, each doing only what is not done yet."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from builder.build import Built, build, compile_all
from builder.check import Finding, check
from builder.engine.client import Engine
from builder.errors import InputError, JobError
from builder.fetch import Fetched, fetch
from builder.fetch.pending import settle
from builder.lock import StackLock, listed, read, require_fresh, require_whole, resolve, store
from builder.settings import Settings
from builder.smoke import GpuMode, SmokeReport, smoke
from builder.spec import load_stack, stack_folder
from builder.spec.model import Stack
from builder.ui import Ui, human_bytes


@dataclass(frozen=True)
class Made:
    """What one run of `stack` did: the image, its smoke report, and the seconds each verb took."""

    built: Built
    fetched: Fetched
    report: SmokeReport
    seconds: dict[str, float]

    def document(self) -> dict[str, Any]:
        """For --json."""
        return {
            "image": self.built.document(),
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
        if not self.report.green:
            problem = f"{self.report.failed} smoke tests of {built.stack} failed"
            raise JobError(problem, where=str(self.report.junit), fix="see the table above")


@contextmanager
def timed(seconds: dict[str, float], verb: str) -> Iterator[None]:
    """Note under the verb how long the with block takes."""
    started = time.monotonic()
    try:
        yield
    finally:
        seconds[verb] = time.monotonic() - started


def locked(name: str, settings: Settings) -> tuple[Stack, StackLock]:
    """A stack and its lock. Raises InputError where there is no lock, or it is stale or not whole."""
    stack, folder = load_stack(name, settings), stack_folder(name, settings)
    lock = read(folder)
    require_fresh(stack, lock, folder)
    require_whole(lock, folder)
    return stack, lock


def complete(name: str, settings: Settings, ui: Ui, *, fixed: bool) -> None:
    """Resolve what is unresolved in a stack's lock, keeping the versions it has; nothing where it is whole or stale.

    fixed: leave it as it is, for a run that is offline or frozen. Raises what `resolve.lock` raises.
    """
    stack, folder = load_stack(name, settings), stack_folder(name, settings)
    if not fixed and store.exists(folder) and (left := read(folder).unresolved):
        ui.say(f"{name}: the lock is not whole ({listed(left)}); resolving the rest")
        resolve.lock(stack, folder, settings, ui)


def refuse_errors(findings: list[Finding], ui: Ui) -> None:
    """Show findings; raise InputError where one is an error."""
    for finding in findings:
        if finding.level == "warning":
            ui.warn(f"{finding.problem}. Fix: {finding.fix}")
        if finding.level == "accepted":
            ui.say(f"accepted: {finding.problem} ({finding.accepted})")
    if errors := [finding for finding in findings if finding.level == "error"]:
        first = errors[0]
        raise InputError(first.problem, why=first.cause, fix=first.fix)


def make(name: str, settings: Settings, ui: Ui, *, gpu: GpuMode, offline: bool = False, frozen: bool = False) -> Made:
    """Bring a stack from its file to a smoke-tested image.

    offline: ask no network, neither to lock nor to fetch. frozen: refuse pending hashes.
    Raises InputError (stack, lock or findings), JobError (a download, the build or a smoke test
    failed) or SurroundingsError.
    """
    seconds: dict[str, float] = {}
    with timed(seconds, "check"):
        stack = load_stack(name, settings)
    folder = stack_folder(name, settings)
    if not store.exists(folder):
        refuse_errors(check(stack, None), ui)
        if offline:
            raise InputError(f"{name} has no lock; OFFLINE forbids making one", fix="bring it by `make import`")
        with timed(seconds, "lock"):
            resolve.lock(stack, folder, settings, ui)
    with timed(seconds, "complete"):
        complete(name, settings, ui, fixed=offline or frozen)
    _, lock = locked(name, settings)
    refuse_errors(check(stack, lock), ui)
    lock = settle(lock, folder, settings, ui, frozen=frozen or offline)
    engine = Engine.connect()
    with timed(seconds, "fetch"):
        fetched = fetch(lock.artifacts(), lock.indexes, settings, ui, offline=offline)
    with timed(seconds, "compile"):
        lock = compile_all(stack, lock, folder, settings, engine, ui, frozen=frozen, offline=offline)
    with timed(seconds, "build"):
        built = build(stack, lock, settings, engine, ui)
    with timed(seconds, "smoke"):
        report = smoke(stack, lock, built.tag, settings, ui, engine, gpu=gpu, reuse=True)
    made = Made(built, fetched, report, seconds)
    made.conclude(ui)
    return made
