"""The verb audit."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from builder.commands._common import OFFLINE, STACKS, Run, Verb
from builder.errors import InputError, JobError, ModelstacksError, SurroundingsError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from builder.audit.model import Answer, Audited, Package
    from builder.audit.services import Service
    from builder.lock.model import StackLock
    from builder.spec.model import Stack


@click.command(cls=Verb)
@STACKS
@click.option(
    "--advisories",
    type=click.Path(exists=True, path_type=Path),
    help="A file, archive or folder of OSV's; no network is asked then.",
)
@click.option(
    "--service",
    type=click.Choice(["auto", "index", "osv"]),
    default="auto",
    show_default=True,
    help="Who is asked; auto: the default index, then OSV.",
)
@OFFLINE
@click.pass_obj
def command(run: Run, stacks: tuple[str, ...], advisories: Path | None, service: Service, offline: bool) -> None:
    """Known vulnerabilities of the locked packages.

    1: there are some that the stack does not accept; 3: nobody could be asked.
    """
    from builder.audit import audit, everything
    from builder.audit.show import show

    locks, errors = _locks(run, stacks)
    answers, asked = _answers(run, everything(lock for _, lock in locks), advisories, service, offline)
    found = [audit(stack, lock, answers) for stack, lock in locks]
    for one in found:
        show(one, asked, run.ui)
    wrong = [error.document() for error in errors]
    run.ui.document({"asked": asked, "stacks": {one.stack: one.document() for one in found}, "errors": wrong})
    errors = [*_failed(found), *errors]
    for error in errors[1:]:
        run.ui.error(error)
    if errors:
        raise errors[0]


def _locks(run: Run, words: Iterable[str]) -> tuple[list[tuple[Stack, StackLock]], list[ModelstacksError]]:
    """The stacks with their locks, and what is wrong with those that have none; services are said and left out."""
    from builder.lock.existing import fresh
    from builder.spec.service import Service as Pulled

    found, errors = [], list[ModelstacksError]()
    for one in run.stacks.named(words, "all"):
        if isinstance(one, Pulled):
            run.ui.say(f"{one.name}: a service; what its image holds is not in its lock, and not looked at")
            continue
        try:
            if (lock := fresh(one)) is None:
                raise InputError(f"{one.name} is not locked", fix=f"make lock STACK={one.name}")
            found.append((one, lock))
        except InputError as error:  # which hides nothing of the others
            errors.append(error)
    return found, errors


def _answers(
    run: Run, packages: list[Package], path: Path | None, service: Service, offline: bool
) -> tuple[dict[Package, Answer], list[str]]:
    if path:
        from builder.audit.advisories import read

        known = read(path, {one.name for one in packages})
        run.ui.say(f"{known.count} advisories, the newest of {known.newest or 'an unknown day'}: {path}")
        return {one: known.answer(one) for one in packages}, [str(path)]
    if offline:
        why, fix = "the network may not be asked", "give a file of advisories: --advisories FILE (ADVISORIES=FILE)"
        raise SurroundingsError("there is nobody to ask", why=why, fix=fix)
    from builder.audit.services import ask

    return ask(packages, service, run.settings, run.ui.warn)


def _failed(found: list[Audited]) -> list[ModelstacksError]:
    """What an audit ends with: a vulnerability that is known counts before packages that nobody was asked about."""
    errors = list[ModelstacksError]()
    if known := {one.stack: len(one.open) for one in found if one.open}:
        said = ", ".join(f"{count} in {name}" for name, count in known.items())
        fix = "lock a version that is fixed, or say under `accept-advisories` why it does not matter"
        errors.append(JobError(f"known vulnerabilities: {said}", fix=fix))
    unasked = {package: why for one in found for package, why in one.unasked.items()}
    if unasked:
        why = "; ".join(list(dict.fromkeys(unasked.values()))[:3])
        fix = "audit where they can be reached, or give a file of advisories: ADVISORIES=FILE"
        errors.append(SurroundingsError(f"nobody could be asked about {len(unasked)} packages", why=why, fix=fix))
    return errors
