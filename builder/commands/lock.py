"""The verb lock."""

from __future__ import annotations

from functools import partial

import click

from builder.commands._common import STACKS, Run, Verb
from builder.errors import InputError, ModelstacksError, Unreachable, combined


@click.command(cls=Verb)
@STACKS
@click.option("--upgrade", is_flag=True, help="Resolve anew instead of keeping what is locked.")
@click.option("--pending", is_flag=True, help="Leave what cannot be reached unresolved, for a later run.")
@click.pass_obj
def command(run: Run, stacks: tuple[str, ...], upgrade: bool, pending: bool) -> None:
    """Resolve and lock every file by hash."""
    from builder.check.verb import judged, known_errors
    from builder.doctor.unreachable import all_of, require_hosts
    from builder.lock.verb import lock as write
    from builder.spec.model import Stack

    documents = []
    for one in run.owned(stacks):
        known = known_errors(one)
        judge = judged(one, run.ui) if isinstance(one, Stack) else None
        ask = None if pending else partial(require_hosts, one, run.settings, run.ui)
        try:
            done = write(one, run.settings, run.ui, upgrade=upgrade, partly=pending, judge=judge, ask=ask)
        except InputError as error:  # what the resolution shows is told with what was known before it
            raise combined([*known, error]) from error
        except ModelstacksError as error:
            if known:
                run.ui.error(combined(known))
            raise (all_of(error, one, run.settings, run.ui) if isinstance(error, Unreachable) else error) from error
        if known:
            raise combined(known)
        documents.append(done)
    run.ui.document({"locks": documents})
