"""Stands in for gsplat.cuda._backend."""

from gsplat import csrc as _C  # noqa: F401
