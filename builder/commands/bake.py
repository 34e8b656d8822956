"""The verb bake."""

from __future__ import annotations

import json
from pathlib import Path

import click

from builder.commands._common import OFFLINE, STACKS, Run, Verb


@click.command(cls=Verb)
@STACKS
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Default: build/docker-bake.json.")
@OFFLINE
@click.pass_obj
def command(run: Run, stacks: tuple[str, ...], out: Path | None, offline: bool) -> None:
    """Write docker-bake.json: the images for docker buildx bake.

    It builds the same images as the verb build does.
    """
    from builder.build import bake
    from builder.engine.client import Engine
    from builder.files import write_atomic
    from builder.spec import built

    loaded = [built(one) for one in run.stacks.named(stacks)]
    found = bake.document(loaded, run.settings, Engine.connect(), run.ui, offline=offline)
    place = out or bake.place(run.settings)
    write_atomic(place, json.dumps(found, indent=2) + "\n")
    run.ui.tell(f"docker buildx bake --file {place}")
    run.ui.document({"file": str(place), **found})
