"""setuptools 82 removed pkg_resources, which older packages import or need to be compiled."""

from __future__ import annotations

from builder.check.pairs import finder

NAME = "pkg_resources"
find = finder(NAME)
