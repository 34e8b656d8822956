"""The host part: this machine check by check, and each stack against it. Asks no network."""

from __future__ import annotations

from collections.abc import Iterable

from builder.check import packaged_facts
from builder.check.host import absent, against, case_of
from builder.doctor import leftovers
from builder.doctor.checks import driver, engine, machine, stacks
from builder.doctor.checks import leftovers as left
from builder.doctor.model import Diagnosis
from builder.errors import InputError
from builder.host import Host
from builder.lock import StackLock, read, store
from builder.settings import Settings
from builder.spec import load_service, load_stack, stack_folder


def examine(host: Host, settings: Settings) -> list[Diagnosis]:
    """What is so of the machine itself."""
    return [
        *machine.look(host),
        *engine.look(host),
        driver.look(host, packaged_facts()),
        left.look(leftovers.files(settings), leftovers.containers() if host.engine else []),
    ]


def examine_stacks(names: Iterable[str], host: Host, settings: Settings) -> list[Diagnosis]:
    """Each stack against the machine. Raises InputErrors for a stack file that is wrong."""
    found: list[Diagnosis] = []
    for name in names:
        if load_service(name, settings):
            continue  # `check --host` holds its profiles against the GPUs
        stack, lock = load_stack(name, settings), _lock(name, settings)
        findings = against(case_of(stack, lock), host, absent(lock, settings))
        found += stacks.look(stack, findings, host)
    return found


def _lock(name: str, settings: Settings) -> StackLock | None:
    """A stack's lock; a damaged one is done without, as `check` speaks of it."""
    folder = stack_folder(name, settings)
    try:
        return read(folder) if store.exists(folder) else None
    except InputError:
        return None
