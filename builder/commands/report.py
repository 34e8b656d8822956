"""The verb report."""

from __future__ import annotations

from pathlib import Path

import click

from builder.commands._common import STACKS, Run, Verb


@click.command(cls=Verb)
@STACKS
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Default: build/report.")
@click.option(
    "--evidence",
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    help="Smoke evidence of other machines: a file or a folder.",
)
@click.pass_obj
def command(run: Run, stacks: tuple[str, ...], out: Path | None, evidence: tuple[Path, ...]) -> None:
    """Write a page about each stack, and an index.

    HTML that needs nothing but itself: size, build, proofs, changes, licences.
    """
    from builder.report import write
    from builder.report.proofs import given

    written = write(
        run.stacks.named(stacks, "all"), run.settings, out or run.settings.build / "report", given(evidence)
    )
    run.ui.tell(f"pages of stacks: {len(written) - 1}; the index of them: {written[0]}")
    run.ui.document({"index": str(written[0]), "pages": {path.stem: str(path) for path in written[1:]}})
