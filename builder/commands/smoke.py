"""The verb smoke."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from builder.commands._common import GPU, STACKS, Run, Verb
from builder.errors import JobError

if TYPE_CHECKING:
    from builder.smoke import GpuMode


@click.command(cls=Verb)
@STACKS
@GPU
@click.option("--image", default="", metavar="REF", help="Any image in the engine, in place of the stack's own.")
@click.option("--container", default="", metavar="NAME", help="A running container; nothing in it is changed.")
@click.option("--host", default="", metavar="local", help="This machine itself, without a container.")
@click.option("--checks", multiple=True, metavar="NAME,NAME", help="These smoke tests, in place of the stack's.")
@click.option("--python", default="", metavar="PATH", help="The target's interpreter (python3 without a stack).")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="The folder of the report.")
@click.pass_obj
def command(
    run: Run,
    stacks: tuple[str, ...],
    gpu: GpuMode,
    image: str,
    container: str,
    host: str,
    checks: tuple[str, ...],
    python: str,
    out: Path | None,
) -> None:
    """Run smoke tests inside the built images, or on another target.

    A target is held against the one stack that is named, or put to --checks alone.
    """
    from builder.engine.client import Engine
    from builder.smoke.asked import Asked
    from builder.smoke.verb import reports as prove

    named = run.stacks.named(stacks) if stacks or not (image or container or host) else []
    asked = Asked(stacks=named, image=image, container=container, host=host, checks=checks, python=python, out=out)
    reports = list(prove(asked, run.settings, partial(Engine.connect, builds=False), run.ui, gpu=gpu))
    run.ui.document({"reports": [report.document() for report in reports]})
    red = [report for report in reports if not report.green]
    if red:
        problem = "smoke tests failed" if any(report.failed for report in red) else "every smoke test was skipped"
        raise JobError(problem, where=", ".join(str(report.junit) for report in red), fix="see the tables above")
