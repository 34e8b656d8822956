"""The verb stack."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from builder.commands._common import FROZEN, GPU, OFFLINE, STACKS, Run, Verb

if TYPE_CHECKING:
    from builder.smoke import GpuMode


@click.command(cls=Verb)
@STACKS
@GPU
@OFFLINE
@FROZEN
@click.pass_obj
def command(run: Run, stacks: tuple[str, ...], gpu: GpuMode, offline: bool, frozen: bool) -> None:
    """Everything: lock where needed, fetch, build, smoke."""
    from builder.stack import make

    documents = [
        make(one, run.settings, run.ui, gpu=gpu, offline=offline, frozen=frozen).document()
        for one in run.owned(stacks, "onnx-cpu")
    ]
    run.ui.document({"stacks": documents})
