"""What is in an image, made from its lock: CycloneDX 1.6 and SPDX 2.3, the same bytes for the same lock."""

from __future__ import annotations

from builder.sbom.documents import Sbom, make

__all__ = ["Sbom", "make"]
