"""The verb check, for stacks and services; and what the verbs after it refuse to go on with."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict
from functools import cache
from typing import TYPE_CHECKING

from builder.check import Finding, check, packaged_facts, service
from builder.errors import InputError, combined
from builder.files import sha256_text
from builder.kept import Kept, code
from builder.lock.existing import fresh
from builder.lock.glance import seen
from builder.lock.model import StackLock
from builder.spec import Loaded
from builder.spec.model import Stack
from builder.spec.service import Service
from builder.ui import Ui

if TYPE_CHECKING:
    from builder.check.host import Here  # which most runs do not look at


def examine(one: Loaded, here: Here | None, kept: Kept, ui: Ui) -> list[Finding]:
    """What is to be said of a stack or service and its lock, shown as it is found; errors are not raised.

    here: this machine, which notes what it finds of a stack for itself. kept: findings of runs before.
    Raises InputError for a stale or damaged lock.
    """
    if isinstance(one, Service):
        gpus = [gpu.name for gpu in here.host.nvidia.gpus] if here else []
        return _shown(one.name, service.check(one, fresh(one), packaged_facts(), gpus), ui)
    if here:
        lock = fresh(one)
        findings = _shown(one.name, check(one, lock), ui)
        here.judge(one, lock, ui)
        return findings
    return _shown(one.name, _found(one, kept), ui)


def _found(stack: Stack, kept: Kept) -> list[Finding]:
    """What is to be said of a stack and its lock: as it was found before, where both are what they were then."""
    files = seen(stack.folder)
    if not files:  # without a lock it depends on the day
        return check(stack, fresh(stack))
    given = sha256_text(repr((files, stack, _rules())))
    with suppress(TypeError):
        if (rows := kept.get(str(stack.folder), given)) is not None:
            return [Finding(**row) for row in rows]
    found = check(stack, fresh(stack))
    kept.put(str(stack.folder), given, [asdict(one) for one in found])
    return found


@cache
def _rules() -> str:
    return code("check", "lock", "spec", "smoke/checks")


def _shown(name: str, findings: list[Finding], ui: Ui) -> list[Finding]:
    ui.tell(f"{name}: {'no findings' if not findings else f'{len(findings)} findings'}")
    if findings:
        ui.table("", ["level", "rule", "finding"], [[item.level, item.key, item.text] for item in findings])
    return findings


def known_errors(one: Loaded) -> list[InputError]:
    """What is known to be wrong with a stack before it is resolved, whatever its lock says."""
    found = check(one, None) if isinstance(one, Stack) else []
    return [_error(finding) for finding in found if finding.level == "error"]


def judged(stack: Stack, ui: Ui) -> Callable[[StackLock, Mapping[str, tuple[str, ...]]], None]:
    """What holds a lock of the stack to the facts before it is written; raises as `refuse_errors` does."""
    return lambda lock, brought: refuse_errors(check(stack, lock, brought=brought), ui)


def refuse_errors(findings: Iterable[Finding], ui: Ui) -> None:
    """Show findings; raise InputError where one is an error."""
    errors = []
    for finding in findings:
        if finding.level == "warning":
            ui.warn(f"{finding.problem}. Fix: {finding.fix}")
        if finding.level == "accepted":
            ui.say(f"accepted: {finding.problem} ({finding.accepted})")
        if finding.level == "error":
            errors.append(_error(finding))
    if errors:
        raise combined(errors)


def _error(finding: Finding) -> InputError:
    return InputError(finding.problem, why=finding.cause, fix=finding.fix)
