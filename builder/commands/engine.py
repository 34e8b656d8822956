"""The verb engine."""

from __future__ import annotations

import click

from builder.commands._common import Run, Verb


@click.command(cls=Verb)
@click.pass_obj
def command(run: Run) -> None:
    """Have a container engine.

    Does nothing where a usable one answers; as root on Debian or Ubuntu it installs and starts one;
    elsewhere it says what to do.
    """
    from builder.engine.install import ensure

    run.ui.document(ensure(run.ui))
