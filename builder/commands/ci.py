"""The verb ci."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from builder.commands._common import GPU_RUNNER, RUNNER, Run, Verb

if TYPE_CHECKING:
    from builder.matrix.pipeline import Provider


@click.command(cls=Verb)
@click.option("--provider", type=click.Choice(["github", "gitlab"]), required=True, help="The forge.")
@click.option("--registry", required=True, metavar="HOST/NAME", help="Where images are published to.")
@click.option("--branch", default="main", metavar="NAME", help="The branch whose images are published; main.")
@RUNNER
@GPU_RUNNER
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Default: where the forge looks.")
@click.pass_obj
def command(
    run: Run, provider: Provider, registry: str, branch: str, runner: str, gpu_runner: str, out: Path | None
) -> None:
    """Write a pipeline for GitHub or GitLab.

    Check, fetch with a cache, build, smoke, publish, verify.
    """
    from builder.matrix.pipeline import labels, write

    place = write(provider, registry, branch, labels(runner), labels(gpu_runner), out, run.settings)
    run.ui.tell(f"{place}: needs the secrets MODELSTACKS_KEY, REGISTRY_USER and REGISTRY_PASSWORD")
    run.ui.document({"file": str(place)})
