"""The verb matrix."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from builder.commands._common import GPU_RUNNER, RUNNER, STACKS, Run, Verb
from builder.errors import InputError

if TYPE_CHECKING:
    from builder.matrix.forges import Format


@click.command(cls=Verb)
@STACKS
@click.option("--since", default="", metavar="REV", help="What changed since this revision; all, if not given.")
@click.option(
    "--format", "form", type=click.Choice(["json", "github", "gitlab"]), default="json", help="Of a forge; json."
)
@RUNNER
@GPU_RUNNER
@click.option("--registry", default="", metavar="HOST/NAME", help="Where GitLab's jobs publish to.")
@click.option("--branch", default="main", metavar="NAME", help="The branch whose images GitLab's jobs publish.")
@click.pass_obj
def command(
    run: Run,
    stacks: tuple[str, ...],
    since: str,
    form: Format,
    runner: str,
    gpu_runner: str,
    registry: str,
    branch: str,
) -> None:
    """The stacks that a change touches, for a pipeline.

    By the files that git says changed, with runners and cache keys.
    """
    from builder.matrix import forges
    from builder.matrix.changes import changed
    from builder.matrix.pipeline import branch_name, labels
    from builder.matrix.rows import rows
    from builder.registry.descriptor import address
    from builder.settings.program import PROGRAM

    if form == "gitlab" and not registry:
        raise InputError("GitLab's jobs need to know where to publish to", fix="--registry HOST/NAME")
    if registry:
        address(registry)
    files = changed([PROGRAM, *run.settings.stacks], since)
    found = rows(run.stacks.named(stacks, "all"), files, run.settings, labels(runner), labels(gpu_runner))
    if form == "github":
        sys.stdout.write(forges.github(found))
    elif form == "gitlab":
        sys.stdout.write(forges.gitlab(found, registry, branch_name(branch)))
    else:
        run.ui.tell(f"{len(found)} stacks to build")
        run.ui.table("", ["stack", "runner", "GB", "why"], [row.cells() for row in found])
        run.ui.document({"include": [row.document() for row in found]})
