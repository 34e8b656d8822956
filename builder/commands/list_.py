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
    lacking = {row.gpu for row in rows if row.gpu not in ("needs none", "see its page")}
    told = lacking.pop() if len(lacking) == 1 and "yes" not in lacking else ""  # one reason is told once
    columns = [
        "stack",
        "family",
        "python",
        "cuda",
        "lock",
        "files",
        "fetched",
        "built, proved",
        "GPU here",
        "what it is",
    ]
    cells = [
        [
            *(row.name, row.family, row.python, row.cuda or "-", row.lock, str(row.files), row.fetched, row.made),
            *("no" if told and row.gpu == told else row.gpu, row.summary),
        ]
        for row in rows
    ]
    run.ui.table("", columns, cells, spare=["files", "GPU here", "family", "cuda", "python"])
    if told:
        run.ui.tell(f"no stack runs on a GPU here: {told}")
    if any(not row.built for row in rows):
        run.ui.say("which stacks are built is not known: no engine answers (make doctor)")
    run.ui.document({"stacks": [row.document() for row in rows]})
