"""The verb reproduce."""

from __future__ import annotations

import click

from builder.commands._common import STACKS, Run, Verb
from builder.errors import JobError


@click.command(cls=Verb)
@STACKS
@click.pass_obj
def command(run: Run, stacks: tuple[str, ...]) -> None:
    """Build twice from nothing and compare."""
    from builder.engine.client import Engine
    from builder.lock.existing import locked
    from builder.reproduce import reproduce as twice
    from builder.spec import built

    documents, differ = [], []
    loaded, engine = [built(one) for one in run.stacks.named(stacks)], Engine.connect()
    for one in loaded:
        report = twice(one, locked(one), run.settings, engine, run.ui)
        report.table(run.ui)
        documents.append(report.document())
        differ += [] if report.identical else [one.name]
    run.ui.document({"reports": documents})
    if differ:
        raise JobError(f"not reproducible: {', '.join(differ)}", fix="the table names the files that differ")
