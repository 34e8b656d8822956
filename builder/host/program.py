"""Programs of this machine that are asked for what they know."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace

from builder.inside import Said, bounded

LIMIT = 64 * 1024  # bytes; nvidia-smi says some 60 per GPU


def run(command: Sequence[str], seconds: float) -> Said | None:
    """Run a program in English; both outputs as `out`, without control codes. None where there is no such program."""
    try:
        said = bounded.run(command, seconds=seconds, limit=LIMIT, env={**os.environ, "LC_ALL": "C"}, together=True)
    except OSError:
        return None
    return replace(said, out="" if said.code is None else bounded.printable(said.out))
