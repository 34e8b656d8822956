"""The verb completion."""

from __future__ import annotations

import click

from builder.commands._common import Verb
from builder.errors import InputError


@click.command(cls=Verb)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(context: click.Context, shell: str) -> None:
    """Print a shell completion script.

    Use it as `source <(modelstacks completion bash)`.
    """
    from click.shell_completion import get_completion_class

    found = get_completion_class(shell)
    if found is None:
        raise InputError(f"no completion for {shell}")
    click.echo(found(context.find_root().command, {}, "modelstacks", "_MODELSTACKS_COMPLETE").source())
