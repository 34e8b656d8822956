"""cosyvoice rehearsed: base, packages, compilers and its source with Matcha-TTS are real; weights are to be mounted."""

from __future__ import annotations

from pathlib import Path

import pytest

from builder.engine.client import Engine
from tests.rehearsal.others import rehearse


@pytest.mark.heavy
def test_the_whole_chain_ends_green(engine: Engine, tmp_path: Path) -> None:
    rehearse("cosyvoice", tmp_path, engine)
