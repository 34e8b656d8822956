"""Several stacks at once, each by a process of its own: one that fails stops no other."""

from __future__ import annotations

from builder.many.run import Outcome, make_all

__all__ = ["Outcome", "make_all"]
