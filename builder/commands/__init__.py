"""The verbs, one module each under the verb's name; `_common` has what they share, and is none.

A verb is found by its file. Rooms are imported inside the commands, so that `--help` and completion stay quick.
"""

from __future__ import annotations

from pathlib import Path


def verbs() -> dict[str, str]:
    """The module of each verb by the verb's name, which is its file's without a `_` at the end (`import_`)."""
    found = sorted(path.stem for path in Path(__file__).parent.glob("[a-z]*.py"))
    return {name.rstrip("_"): f"builder.commands.{name}" for name in found}
