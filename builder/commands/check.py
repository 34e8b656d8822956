"""The verb check."""

from __future__ import annotations

import click

from builder.commands._common import STACKS, Run, Verb
from builder.errors import InputError, SurroundingsError


@click.command(cls=Verb)
@STACKS
@click.option("--host", is_flag=True, help="Against this machine as well: driver, GPU, engine, disk, memory.")
@click.pass_obj
def command(run: Run, stacks: tuple[str, ...], host: bool) -> None:
    """Hold stacks and locks against known facts."""
    from builder.check.host import Here
    from builder.check.verb import examine

    here = Here.look(run.settings) if host else None
    found = {one.name: examine(one, here, run.ui) for one in run.stacks.named(stacks, "all")}
    wrong = sum(finding.level == "error" for findings in found.values() for finding in findings)
    documents = {name: [finding.document() for finding in findings] for name, findings in found.items()}
    run.ui.document({"stacks": documents, **(here.document() if here else {})})
    if wrong:
        raise InputError(f"{wrong} findings are errors", fix="do what the table says, then check again")
    if here and here.wrong:
        raise SurroundingsError(
            f"{here.wrong} findings are errors of this machine", fix="do what the tables say, then check again"
        )
