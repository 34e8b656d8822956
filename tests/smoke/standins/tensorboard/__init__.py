"""Stands in for tensorboard."""

__version__ = "2.20.0"
