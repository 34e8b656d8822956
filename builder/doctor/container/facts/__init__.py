"""Known facts as data: each file a list of rows, each row with its source."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from builder.spec import yamldoc


@functools.cache
def facts(name: str) -> tuple[Mapping[str, Any], ...]:
    """The rows of one file of this folder."""
    rows = yamldoc.read(Path(__file__).parent / f"{name}.yaml").value
    assert isinstance(rows, tuple)  # noqa: S101 - a packaged file, held to this by a test
    return rows
