"""Stands in for pytorch3d."""

__version__ = "0.7.2"
