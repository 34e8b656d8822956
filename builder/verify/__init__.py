"""Whether a published image is what its publisher signed, and is by its lock what its statements say."""

from __future__ import annotations

from builder.verify.model import Verified
from builder.verify.run import verify

__all__ = ["Verified", "verify"]
