"""The verb check."""

from __future__ import annotations

import click

from builder.commands._common import STACKS, Run, Verb
from builder.errors import InputError, InputErrors, SurroundingsError


@click.command(cls=Verb)
@STACKS
@click.option("--host", is_flag=True, help="Against this machine as well: driver, GPU, engine, disk, memory.")
@click.pass_obj
def command(run: Run, stacks: tuple[str, ...], host: bool) -> None:
    """Hold stacks and locks against known facts."""
    from builder.check.host import Here
    from builder.check.verb import examine
    from builder.kept import Kept

    here = Here.look(run.settings) if host else None
    found, errors = {}, []
    with Kept(run.settings.cache_folder / "checked.sqlite") as kept:
        for one in run.stacks.named(stacks, "all"):
            try:
                found[one.name] = examine(one, here, kept, run.ui)
            except InputError as error:  # a stale or damaged lock, which hides nothing of the others
                errors.append(error)
    wrong = sum(finding.level == "error" for findings in found.values() for finding in findings)
    documents = {name: [finding.document() for finding in findings] for name, findings in found.items()}
    if found or not errors:
        unread = {"errors": [error.document() for error in errors]} if errors else {}
        run.ui.document({"stacks": documents, **unread, **(here.document() if here else {})})
    if wrong:
        errors.append(InputError(f"{wrong} findings are errors", fix="do what the table says, then check again"))
    if errors:
        raise errors[0] if len(errors) == 1 else InputErrors(errors)
    if here and here.wrong:
        raise SurroundingsError(
            f"{here.wrong} findings are errors of this machine", fix="do what the tables say, then check again"
        )
