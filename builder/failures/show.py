"""Known failures in a table of a verb's talk, then cause and fix of each; for the author of a stack."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from builder.failures.model import Match

if TYPE_CHECKING:
    from builder.ui import Ui


def show(title: str, matches: Sequence[Match], ui: Ui) -> None:
    """Show recognised failures, the most specific first, each with its lines, its cause and the one thing to do."""
    rows = [[one.failure.id, one.level, one.lines, one.hits[0].text] for one in matches]
    ui.table(title, ["failure", "level", "lines", "words"], rows)
    for one in matches:
        follows = f" (follows from {one.follows})" if one.follows else ""
        ui.tell(f"{one.failure.id}{follows}: {one.cause}")
        ui.tell(f"  fix: {one.stack or one.fix}")
