"""Stands in for the compiled module; its code is in another file."""

__file__ = "/opt/standin/code"
