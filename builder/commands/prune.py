"""The verb prune."""

from __future__ import annotations

import click

from builder.commands._common import Run, Verb
from builder.errors import JobError, SurroundingsError


@click.command(cls=Verb)
@click.option("--yes", is_flag=True, help="Remove it; without, it is listed alone.")
@click.option("--files-only", is_flag=True, help="Leave the engine's images.")
@click.pass_obj
def command(run: Run, yes: bool, files_only: bool) -> None:
    """Remove files and images that no lock names.

    Of wheels/, assets/ and the engine; the locks of all folders of stacks are asked.
    """
    from builder.engine.client import Engine
    from builder.prune import left, remove
    from builder.prune.plan import locks
    from builder.prune.removal import alone
    from builder.ui import human_bytes

    named = locks(run.stacks.named(["all"]))
    engine = None
    if not files_only:
        try:
            engine = Engine.connect(builds=False)
        except SurroundingsError as error:
            run.ui.warn(f"images are not looked at: {error.problem}")
    with alone(run.settings):
        found = left(run.settings, named, engine)
        gone, stayed = remove(found, run.settings, engine, run.ui) if yes else ([], [])
    run.ui.table("", ["", "no lock names", "size"], [[row.kind, row.name, human_bytes(row.size)] for row in found])
    files = sum(row.size for row in found if row.kind != "image")
    images = sum(row.kind == "image" for row in found)
    said = f"{len(found) - images} files, {human_bytes(files)}, and {images} images"
    run.ui.tell(f"{said}: {'removed' if yes else 'YES=1 removes them'}")
    document = {"found": found, "removed": gone, "stayed": stayed}
    run.ui.document({name: [row.document() for row in rows] for name, rows in document.items()})
    if stayed:
        raise JobError(f"{len(stayed)} could not be removed", fix="the warnings above say why")
