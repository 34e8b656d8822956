"""Pillow 10 removed constants, Image.ANTIALIAS among them, that older packages use."""

from __future__ import annotations

from builder.check.pairs import finder

NAME = "pillow"
find = finder(NAME)
