"""Image registries as a publisher and a verifier need them: signed in, patient, and believed only by digest."""

from __future__ import annotations

from builder.registry.client import Connection
from builder.registry.descriptor import Descriptor, digest_of
from builder.registry.repository import Repository

__all__ = ["Connection", "Descriptor", "Repository", "digest_of"]
