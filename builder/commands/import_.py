"""The verb import."""

from __future__ import annotations

from pathlib import Path

import click

from builder.commands._common import Run, Verb


@click.command(cls=Verb)
@click.argument("bundle", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--overwrite-stacks",
    is_flag=True,
    help="Replace stack files of other content, and remove own files that the bundle lacks.",
)
@click.pass_obj
def command(run: Run, bundle: Path, overwrite_stacks: bool) -> None:
    """Verify a whole bundle, then put its files in place.

    BUNDLE is its file, its list of parts, one of its parts, or the folder that holds it. Stacks go to the last folder
    of --stacks, else to the checkout's own.
    """
    from builder.bundle import import_ as bring

    done = bring(bundle, run.settings, run.ui, overwrite_stacks=overwrite_stacks)
    run.ui.say(f"{', '.join(done.stacks)}: {len(done.placed)} files placed, {done.kept} were there, id {done.id}")
    run.ui.document(done.document())
