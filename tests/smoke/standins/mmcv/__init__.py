"""Stands in for mmcv."""

__version__ = "1.7.1"
