"""The verb import."""

from __future__ import annotations

from pathlib import Path

import click

from builder.commands._common import Run, Verb
from builder.errors import InputError

FILE = click.Path(dir_okay=False, path_type=Path)


@click.command(cls=Verb)
@click.argument("bundle", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--overwrite-stacks",
    is_flag=True,
    help="Replace stack files of other content, and remove own files that the bundle lacks.",
)
@click.option(
    "--key",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Refuse it unless the owner of this public key (PEM, ECDSA P-256) signed it.",
)
@click.option(
    "--signature", type=click.Path(dir_okay=False, path_type=Path), help="Default: beside the bundle, FILE.sig."
)
@click.pass_obj
def command(run: Run, bundle: Path, overwrite_stacks: bool, key: Path | None, signature: Path | None) -> None:
    """Verify a whole bundle, then put its files in place.

    BUNDLE is its file, its list of parts, one of its parts, or the folder that holds it. Stacks go to the last folder
    of --stacks, else to the checkout's own.
    """
    from builder.bundle import import_ as bring
    from builder.bundle import require_signed

    if signature and not key:
        raise InputError("--signature goes with --key", fix="name the public key too: --key FILE")
    signed = require_signed(bundle, key, signature) if key else ""
    done = bring(bundle, run.settings, run.ui, overwrite_stacks=overwrite_stacks, signed=signed)
    run.ui.tell(f"{', '.join(done.stacks)}: {len(done.placed)} files placed, {done.kept} were there, id {done.id}")
    run.ui.document(done.document())
