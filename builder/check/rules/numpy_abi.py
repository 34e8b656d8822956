"""A module compiled for NumPy 1 cannot be imported beside NumPy 2."""

from __future__ import annotations

from builder.check.pairs import finder

NAME = "numpy_abi"
find = finder(NAME)
