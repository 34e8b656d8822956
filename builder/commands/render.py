"""The verb render."""

from __future__ import annotations

import click

from builder.commands._common import STACKS, Run, Verb


@click.command(cls=Verb)
@STACKS
@click.pass_obj
def command(run: Run, stacks: tuple[str, ...]) -> None:
    """Write build/NAME/Dockerfile and its named contexts."""
    from builder.render.verb import write

    documents = {one.name: write(one, run.settings, run.ui) for one in run.stacks.named(stacks)}
    run.ui.document({"stacks": documents})
