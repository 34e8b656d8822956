"""The verb sbom."""

from __future__ import annotations

from pathlib import Path

import click

from builder.commands._common import STACKS, Run, Verb


@click.command(cls=Verb)
@STACKS
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Default: build/NAME/sbom.")
@click.pass_obj
def command(run: Run, stacks: tuple[str, ...], out: Path | None) -> None:
    """List what an image holds: CycloneDX and SPDX.

    Made from the lock and the fetched files alone; the same lock gives the same bytes.
    """
    from builder.lock.existing import locked
    from builder.sbom import make
    from builder.spec import built

    documents = {}
    for one in [built(one) for one in run.stacks.named(stacks)]:
        made = make(one, locked(one), run.settings)
        files = made.write(out or run.settings.build / one.name / "sbom")
        documents[one.name] = {**made.document(), "files": [str(path) for path in files]}
        said = documents[one.name]
        run.ui.tell(
            f"{one.name}: {said['shipped']} parts in the image, {said['with_licence']} with a licence: {files[0]}"
        )
    run.ui.document({"stacks": documents})
