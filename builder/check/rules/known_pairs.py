"""Other releases of two packages that are known not to go together."""

from __future__ import annotations

from builder.check.pairs import finder

NAME = "known_pairs"
find = finder(NAME)
