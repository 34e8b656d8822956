"""The verb compose."""

from __future__ import annotations

import click

from builder.commands._common import STACKS, Run, Verb


@click.command(cls=Verb)
@STACKS
@click.pass_obj
def command(run: Run, stacks: tuple[str, ...]) -> None:
    """Write how an image is run: build/NAME/compose.yaml and pod.yaml (Kubernetes)."""
    from builder.render.verb import write_running

    documents = {one.name: write_running(one, run.settings, run.ui) for one in run.stacks.named(stacks)}
    run.ui.document({"stacks": documents})
