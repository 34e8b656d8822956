"""Stands in for mmcv-full."""

__version__ = "1.7.1"
