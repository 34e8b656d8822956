"""Stands in for gridencoder.grid."""

import _gridencoder as _backend  # noqa: F401
