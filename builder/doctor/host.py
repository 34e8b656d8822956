"""The host part: this machine check by check, and each stack against it. Asks no network."""

from __future__ import annotations

from collections.abc import Iterable

from builder.check import packaged_facts
from builder.check.host import absent, against, case_of
from builder.doctor import leftovers
from builder.doctor.checks import driver, engine, machine, stacks
from builder.doctor.checks import leftovers as left
from builder.doctor.model import Diagnosis
from builder.host import Host
from builder.lock.existing import readable
from builder.settings import Settings
from builder.spec import Loaded
from builder.spec.service import Service


def examine(host: Host, settings: Settings) -> list[Diagnosis]:
    """What is so of the machine itself."""
    return [
        *machine.judge(host),
        *engine.judge(host),
        driver.judge(host, packaged_facts()),
        left.judge(leftovers.files(settings), leftovers.containers() if host.engine else []),
    ]


def examine_stacks(loaded: Iterable[Loaded], host: Host, settings: Settings) -> list[Diagnosis]:
    """Each stack against the machine."""
    found: list[Diagnosis] = []
    for stack in loaded:
        if isinstance(stack, Service):
            continue  # `check --host` holds its profiles against the GPUs
        lock = readable(stack.folder)
        findings = against(case_of(stack, lock), host, absent(lock, settings))
        found += stacks.judge(stack, findings, host)
    return found
