"""The verb render, for stacks and services."""

from __future__ import annotations

from typing import Any

from builder.lock.existing import locked
from builder.render import contexts, running, service
from builder.settings import Settings
from builder.spec import Loaded
from builder.spec.service import Service
from builder.ui import Ui


def write(one: Loaded, settings: Settings, ui: Ui) -> dict[str, Any]:
    """Write what is built from: of a stack its Dockerfile and contexts, of a service its compose file.

    Gives what it says for --json. Raises InputError without a lock or with a stale one, and as `contexts.render` does.
    """
    if isinstance(one, Service):
        return write_running(one, settings, ui)
    rendered = contexts.render(one, locked(one), settings)
    ui.tell(f"{one.name}: {rendered.dockerfile}")
    return rendered.document()


def write_running(one: Loaded, settings: Settings, ui: Ui) -> dict[str, Any]:
    """Write how an image is run: a compose file, and of a stack a pod for Kubernetes.

    Gives what it says for --json. Raises InputError without a lock or with a stale one.
    """
    if isinstance(one, Service):
        composed = service.render(one, locked(one), settings)
        ui.tell(f"{one.name}: {composed.compose}")
        return composed.document()
    written = running.render(one, locked(one), settings)
    ui.tell(f"{one.name}: {written.compose} and {written.pod}")
    return written.document()
