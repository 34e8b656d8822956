"""The verb fetch."""

from __future__ import annotations

import click

from builder.commands._common import FROZEN, OFFLINE, STACKS, Run, Verb


@click.command(cls=Verb)
@STACKS
@click.option("--verify", is_flag=True, help="Hash every file again instead of trusting its size and time.")
@OFFLINE
@FROZEN
@click.pass_obj
def command(run: Run, stacks: tuple[str, ...], verify: bool, offline: bool, frozen: bool) -> None:
    """Bring every locked file here, verified; record hashes that are pending."""
    from builder.fetch.verb import bring

    documents = {
        one.name: bring(one, run.settings, run.ui, verify=verify, offline=offline, frozen=frozen).document()
        for one in run.owned(stacks)
    }
    run.ui.document({"stacks": documents})
