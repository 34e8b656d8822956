"""Known vulnerabilities of the Python packages that locks name."""

from __future__ import annotations

from builder.audit.run import audit, everything

__all__ = ["audit", "everything"]
