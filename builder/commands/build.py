"""The verb build."""

from __future__ import annotations

import click

from builder.commands._common import FROZEN, OFFLINE, STACKS, Run, Verb


@click.command(cls=Verb)
@STACKS
@OFFLINE
@FROZEN
@click.pass_obj
def command(run: Run, stacks: tuple[str, ...], offline: bool, frozen: bool) -> None:
    """Build images without a network.

    What a stack compiles is compiled once; its wheel may also come from the site's mirror (setting `built`).
    """
    from builder.build.verb import have
    from builder.engine.client import Engine

    loaded, engine = run.owned(stacks), Engine.connect()
    documents = [have(one, run.settings, engine, run.ui, frozen=frozen, offline=offline).document() for one in loaded]
    run.ui.document({"images": documents})
