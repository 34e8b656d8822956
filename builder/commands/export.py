"""The verb export."""

from __future__ import annotations

from pathlib import Path

import click

from builder.commands._common import OFFLINE, STACKS, Run, Verb
from builder.errors import InputError
from builder.ui import human_bytes

FILE = click.Path(dir_okay=False, path_type=Path)


@click.command(cls=Verb)
@STACKS
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Default: dist/NAME.bundle.tar.")
@click.option("--split", default="", metavar="SIZE", help="Parts of this size, such as 4G (powers of 1000).")
@click.option(
    "--base", type=click.Path(exists=True, path_type=Path), help="An earlier bundle; only what is new is exported."
)
@click.option("--python", default="", metavar="3.11", help="The Python of the other site, if it is not the one here.")
@click.option(
    "--key", type=click.Path(dir_okay=False, path_type=Path), help="Sign it with this private key (PEM, ECDSA P-256)."
)
@click.option(
    "--signature", type=click.Path(dir_okay=False, path_type=Path), help="Default: beside the bundle, FILE.sig."
)
@OFFLINE
@click.pass_obj
def command(
    run: Run,
    stacks: tuple[str, ...],
    out: Path | None,
    split: str,
    base: Path | None,
    python: str,
    key: Path | None,
    signature: Path | None,
    offline: bool,
) -> None:
    """Write one bundle of the stacks and all they need.

    The same inputs give the same bytes.
    """
    from builder.bundle import export as write
    from builder.bundle import part_size, sign, signature_place, signing_key

    private = signing_key(key) if key else None
    if signature and not key:
        raise InputError("--signature goes with --key", fix="name the private key too: --key FILE")
    loaded = run.stacks.named(stacks)
    path = out or Path("dist", f"{'+'.join(sorted(one.name for one in loaded))}.bundle.tar")
    size = part_size(split) if split else 0
    if key:  # said before the bundle is written
        signature_place(path, key, signature)
    done = write(loaded, path, run.settings, run.ui, split=size, base=base, python=python, offline=offline)
    run.ui.tell(f"{done.files[-1]}: {human_bytes(done.bytes)}, {done.members} files, id {done.id}")
    if key and private:
        file = Path(done.files[-1])
        run.ui.tell(f"signature: {sign(file, private, signature_place(file, key, signature))}")
    run.ui.document(done.document())
