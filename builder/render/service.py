"""A service becomes build/NAME/compose.yaml."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from builder.files import write_atomic
from builder.lock.service import ServiceLock
from builder.render.dockerfile import environment
from builder.settings import Settings
from builder.spec.service import Service

COMPOSE = "compose.yaml"
# asked inside the container, by the interpreter that the image's own start scripts use
_PROBE = "import urllib.request as r; r.urlopen('http://127.0.0.1:{port}{path}', timeout=8)"


@dataclass(frozen=True)
class Rendered:
    """What was written. compose: its path."""

    compose: Path

    def document(self) -> dict[str, str]:
        """For --json."""
        return {"compose": str(self.compose)}


def tag(service: Service, lock: ServiceLock, settings: Settings) -> str:
    """The name of the image in the engine. It holds the whole digest, as one loaded from files has no digest there."""
    return settings.image(service.name, lock.image_digest.replace(":", "-"))


def compose(service: Service, lock: ServiceLock, settings: Settings) -> str:
    """The text of the compose file. Every value is held to a pattern by spec, or written as JSON."""
    return (
        environment(settings.templates)
        .get_template("compose.j2")
        .render(
            service=service,
            lock=lock,
            project=service.name.replace(".", "-"),
            tag=tag(service, lock, settings),
            probe=_PROBE.format(port=service.ports[service.health.port], path=service.health.path),
        )
    )


def render(service: Service, lock: ServiceLock, settings: Settings) -> Rendered:
    """Write build/NAME/compose.yaml."""
    path = settings.build / service.name / COMPOSE
    write_atomic(path, compose(service, lock, settings))
    return Rendered(path)
