"""The verb lock."""

from __future__ import annotations

from functools import partial

import click

from builder.commands._common import STACKS, Run, Verb
from builder.errors import Unreachable


@click.command(cls=Verb)
@STACKS
@click.option("--upgrade", is_flag=True, help="Resolve anew instead of keeping what is locked.")
@click.option("--pending", is_flag=True, help="Leave what cannot be reached unresolved, for a later run.")
@click.pass_obj
def command(run: Run, stacks: tuple[str, ...], upgrade: bool, pending: bool) -> None:
    """Resolve and lock every file by hash."""
    from builder.check.verb import judged, require_lockable
    from builder.doctor.unreachable import all_of, require_hosts
    from builder.lock.verb import lock as write
    from builder.spec.model import Stack

    documents = []
    for one in run.owned(stacks):
        require_lockable(one, run.ui)
        judge = judged(one, run.ui) if isinstance(one, Stack) else None
        ask = None if pending else partial(require_hosts, one, run.settings, run.ui)
        try:
            done = write(one, run.settings, run.ui, upgrade=upgrade, partly=pending, judge=judge, ask=ask)
        except Unreachable as error:
            raise all_of(error, one, run.settings, run.ui) from error
        documents.append(done)
    run.ui.document({"locks": documents})
