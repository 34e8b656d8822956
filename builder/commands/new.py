"""The verb new."""

from __future__ import annotations

import click

from builder.commands._common import Run, Verb


@click.command(cls=Verb)
@click.argument("name")
@click.option(
    "--from",
    "inputs",
    multiple=True,
    required=True,
    metavar="WHAT",
    help="A requirements.txt, environment.yml, pyproject.toml, a folder, https://HOST/OWNER/NAME@COMMIT, "
    "container:NAME or image:REFERENCE; may be given several times.",
)
@click.pass_obj
def command(run: Run, name: str, inputs: tuple[str, ...]) -> None:
    """Make a stack.yaml of what a model has already, with every decision told."""
    from builder.new.verb import new

    run.ui.document(new(name, inputs, run.settings, run.ui))
