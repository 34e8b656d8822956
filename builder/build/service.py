"""The image of a service, put into the engine from its fetched blobs; nothing is built."""

from __future__ import annotations

import time

from builder.build import base
from builder.build.archive import image_blobs, write_archive
from builder.build.image import Built
from builder.engine.client import Engine, ImageFacts
from builder.errors import JobError
from builder.files import held, scratch
from builder.lock.service import ServiceLock
from builder.render.service import tag
from builder.settings import Settings
from builder.spec.service import Service
from builder.ui import Ui


def build(service: Service, lock: ServiceLock, settings: Settings, engine: Engine, ui: Ui) -> Built:
    """Load the image as NAME:sha256-DIGEST and NAME:latest under the prefix of images, where it is not there.

    The disk holds the archive for that while, beside the blobs. Raises JobError where a blob is not fetched.
    """
    started, name = time.monotonic(), tag(service, lock, settings)
    latest = settings.image(service.name)
    with held(settings.build / service.name / ".building"):
        there = engine.image(name)
        loaded = there is None or not is_locked(there, lock)
        if loaded:
            _load(service, lock, settings, engine, ui)
        engine.tag(name, latest)
        made = engine.image(name)
    if made is None or not is_locked(made, lock):
        raise JobError(f"the engine does not have {name} as it was loaded", fix="run the build again")
    return Built(service.name, name, made.id, made.size, loaded, time.monotonic() - started)


def is_locked(image: ImageFacts, lock: ServiceLock) -> bool:
    """Whether an image of the engine is the locked one."""
    return base.is_locked(image, lock.base)


def _load(service: Service, lock: ServiceLock, settings: Settings, engine: Engine, ui: Ui) -> None:
    for blob in lock.blobs:
        path = settings.home / blob.folder / blob.filename
        if not path.exists():
            problem = f"{blob.project} {blob.filename[:12]} of {service.name} is in the lock but not fetched"
            raise JobError(problem, where=str(path), fix=f"run `make fetch STACK={service.name}`")
    with scratch(settings.assets / "bases" / ".scratch", "image-") as aside:
        archive = aside / "image.tar"
        with ui.working(f"loading {lock.reference} into the engine"):
            write_archive(archive, tag(service, lock, settings), *image_blobs(lock.base, settings))
            engine.load(archive)
