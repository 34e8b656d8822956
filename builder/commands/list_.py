"""The verb list."""

from __future__ import annotations

import click

from builder.commands._common import Run, Verb


@click.command(cls=Verb)
@click.pass_obj
def command(run: Run) -> None:
    """The stacks there are, how far each one is, and whether it runs on the GPU here."""
    from builder.overview import overview

    rows = overview(run.stacks.named((), "all"), run.settings)
    run.ui.table(
        "",
        ["stack", "family", "python", "cuda", "lock", "files", "fetched", "runs on this GPU", "what it is"],
        [
            [
                *(row.name, row.family, row.python, row.cuda or "-", row.lock),
                *(str(row.files), row.fetched, row.gpu, row.summary),
            ]
            for row in rows
        ],
    )
    run.ui.document({"stacks": [row.document() for row in rows]})
