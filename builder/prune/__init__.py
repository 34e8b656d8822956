"""What no lock names any more: files of wheels/ and assets/, and images in the engine."""

from __future__ import annotations

from builder.prune.plan import Left, left
from builder.prune.removal import remove

__all__ = ["Left", "left", "remove"]
