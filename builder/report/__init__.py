"""A page about each stack, and an index of them: HTML that needs nothing but itself."""

from __future__ import annotations

from builder.report.pages import write

__all__ = ["write"]
