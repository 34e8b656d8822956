"""The verbs, one module each under the verb's name; `_common` has what they share, and is none.

A verb is found by its file. Rooms are imported inside the commands, so that `--help` and completion stay quick.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path


@cache
def verbs() -> dict[str, str]:
    """The module of each verb by the verb's name, which is its file's without a `_` at the end (`import_`)."""
    files = sorted(os.listdir(Path(__file__).parent))  # noqa: PTH208 - of names alone, at each start
    found = (name.removesuffix(".py") for name in files if name.endswith(".py") and name[0].isalpha())
    return {name.rstrip("_"): f"{__name__}.{name}" for name in found}
