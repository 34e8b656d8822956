"""musetalk rehearsed: base, packages, compilers and MuseTalk's source are real; weights are left to be mounted."""

from __future__ import annotations

from pathlib import Path

import pytest

from builder.engine.client import Engine
from tests.rehearsal.others import rehearse


@pytest.mark.heavy
def test_the_whole_chain_ends_green(engine: Engine, tmp_path: Path) -> None:
    rehearse("musetalk", tmp_path, engine)
