"""Images into a registry: the same digest from every machine, listed, signed and proved, and never without evidence."""

from __future__ import annotations

from builder.publish.run import Published, publish

__all__ = ["Published", "publish"]
