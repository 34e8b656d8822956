"""The verb smoke, for stacks and services."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from builder.engine.client import Engine
from builder.lock.existing import locked
from builder.settings import Settings
from builder.smoke import service
from builder.smoke.asked import Asked, runs
from builder.smoke.report import GpuMode, SmokeReport
from builder.smoke.run import prove
from builder.spec import built
from builder.spec.service import Service
from builder.ui import Ui


def reports(
    asked: Asked, settings: Settings, connect: Callable[[], Engine], ui: Ui, *, gpu: GpuMode
) -> Iterator[SmokeReport]:
    """Run the smoke tests that are asked for; each report is shown as it comes, services' first.

    connect: gives the engine; not called for this machine itself. Raises as `asked.runs`, `run.prove` and
    `service.smoke` do, and InputError for a service where another target or other tests are meant.
    """
    services = [one for one in asked.stacks if isinstance(one, Service)]
    if asked.elsewhere or asked.checks:
        for one in services:
            built(one)
    for one in services:
        yield _shown(service.smoke(one, locked(one), settings, ui, connect(), gpu=gpu), ui)
    rest = replace(asked, stacks=[one for one in asked.stacks if not isinstance(one, Service)])
    if rest.stacks or not services:
        for target, subject, folder in runs(rest, settings, connect):
            yield _shown(prove(target, subject, folder, ui, gpu=gpu), ui)


def _shown(report: SmokeReport, ui: Ui) -> SmokeReport:
    report.table(ui)
    return report
