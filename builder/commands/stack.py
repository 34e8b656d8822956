"""The verb stack."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from builder.commands._common import FROZEN, GPU, OFFLINE, STACKS, Run, Verb
from builder.errors import Unreachable

if TYPE_CHECKING:
    from builder.smoke import GpuMode


@click.command(cls=Verb)
@STACKS
@GPU
@OFFLINE
@FROZEN
@click.option("--at-once", type=click.IntRange(min=1), help="Stacks made at a time; default: what the machine bears.")
@click.pass_obj
def command(run: Run, stacks: tuple[str, ...], gpu: GpuMode, offline: bool, frozen: bool, at_once: int | None) -> None:
    """Everything: lock where needed, fetch, build, smoke.

    Several stacks are made at once; one that fails stops no other.
    """
    loaded = run.owned(stacks, "onnx-cpu")
    if len(loaded) == 1:
        from builder.stack import make

        def ask() -> None:
            from builder.doctor.unreachable import require_hosts

            require_hosts(loaded[0], run.settings, run.ui)

        try:
            made = make(loaded[0], run.settings, run.ui, gpu=gpu, offline=offline, frozen=frozen, ask=ask)
        except Unreachable as error:
            from builder.doctor.unreachable import all_of

            raise all_of(error, loaded[0], run.settings, run.ui) from error
        run.ui.document({"stacks": [made.document()]})
        return
    from builder.many import make_all
    from builder.many.run import require_all
    from builder.many.summary import rows

    words = [*run.words, "--gpu", gpu, *(["--offline"] if offline else []), *(["--frozen"] if frozen else [])]
    outcomes = make_all(loaded, words, run.settings, run.ui, jobs=at_once or 0)
    run.ui.document({"stacks": rows(outcomes)})
    require_all(outcomes)
