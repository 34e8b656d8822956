"""Which root certificates are trusted here, and where each came from."""

from __future__ import annotations

import hashlib
import ssl
from dataclasses import dataclass
from pathlib import Path

from builder.doctor.handshake import trusting
from builder.doctor.model import Server
from builder.net.tls import stores, trust
from builder.settings import Settings


@dataclass(frozen=True)
class Origin:
    """A place that holds a root. what: the place in words. file: where it lies."""

    what: str
    file: Path

    def __str__(self) -> str:
        """The place with its file; the public roots come with us, so their file says nothing."""
        return self.what if self.what == "the public roots" else f"{self.what} ({self.file})"


class Roots:
    """The roots of one run.

    path: all of them in one PEM file. warnings: what of CA_BUNDLE was left out.
    """

    def __init__(self, settings: Settings) -> None:
        merged = trust(settings)
        self.warnings = merged.warnings
        self.path = merged.path
        self._settings = settings
        self._origins: dict[str, list[Origin]] = {}
        files: set[Path] = set()
        for what, file, certificates in stores(settings):
            if file in files:
                continue
            files.add(file)
            origin = Origin(what, file)
            for der in certificates:
                self._origins.setdefault(hashlib.sha256(der).hexdigest(), []).append(origin)

    def context(self, host: Server) -> ssl.SSLContext:
        """Verifies with all roots, and shows the client certificate that the settings have for the host."""
        context = trusting(str(self.path))
        if files := self._settings.client_certificate(host.url):
            context.load_cert_chain(files.cert, files.key, password=lambda: b"")
        return context

    def origins(self, sha256: str) -> list[Origin]:
        """Where a root comes from, the public roots first; several where several hold it."""
        return self._origins.get(sha256, [])

    def public(self, sha256: str) -> bool:
        """Whether the public roots hold this certificate."""
        return any(origin.what == "the public roots" for origin in self.origins(sha256))
