"""The verb build: a rendered stack becomes an image in the engine, unless that very image is there."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from builder.build import base, buildx, members, same_paths
from builder.build.builders import chosen
from builder.engine.client import Engine, ImageFacts
from builder.errors import JobError
from builder.files import held
from builder.lock.model import StackLock
from builder.render import build_key, render
from builder.render.base import base_tag
from builder.render.ready import layers_tag
from builder.settings import Settings
from builder.spec.model import Stack
from builder.ui import Ui

BUILD_LABEL = "io.modelstacks.build"


@dataclass(frozen=True)
class Built:
    """An image in the engine. id: as the engine names it. size: bytes on disk. built: whether anything was done."""

    stack: str
    tag: str
    id: str
    size: int
    built: bool
    seconds: float

    def document(self) -> dict[str, Any]:
        """For --json."""
        return asdict(self)


def is_current(stack: Stack, lock: StackLock, settings: Settings, engine: Engine) -> bool:
    """Whether the engine holds the image that this stack and lock give."""
    there = engine.image(settings.image(stack.name))
    return there is not None and there.labels.get(BUILD_LABEL) == build_key(stack, lock, settings)


def names(stack: Stack, lock: StackLock, settings: Settings) -> tuple[str, ...]:
    """The names that the image of a stack gets: NAME:latest and NAME:LOCK under the prefix of images."""
    return settings.image(stack.name), settings.image(stack.name, lock.digest[:12])


def labels(stack: Stack, lock: StackLock, settings: Settings, engine: Engine) -> dict[str, str]:
    """What is put on an image beside what its Dockerfile says: what it was made from, and its base, which is there."""
    key = build_key(stack, lock, settings)
    return {BUILD_LABEL: key, "org.opencontainers.image.base.digest": base.digest(lock.base, engine)}


def require_fit(lock: StackLock, settings: Settings) -> None:
    """Raise JobError for a fetched wheel that may not be installed: a member leads out, or is another project's."""
    items = [item for item in lock.artifacts() if item.filename.endswith(".whl") and item.kind != "tool"]
    members.refuse(settings.home / item.folder / item.filename for item in items)
    wheels = (item for item in items if item not in lock.toolchain)
    same_paths.refuse(settings.home / item.folder / item.filename for item in wheels)


def build(
    stack: Stack, lock: StackLock, settings: Settings, engine: Engine, ui: Ui, *, tag: str = "", use_cache: bool = True
) -> Built:
    """Build a stack's image as NAME:latest and NAME:LOCK under the prefix of images, or under `tag` alone.

    Does nothing where the tagged image was made from the same Dockerfile, lock and base. use_cache=False
    builds every stage anew. Raises JobError or SurroundingsError; the image of an earlier build then stays.
    """
    started = time.monotonic()
    tags = (tag,) if tag else names(stack, lock, settings)
    key = build_key(stack, lock, settings)
    with held(settings.build / stack.name / ".building"):
        there = engine.image(tags[0])
        if use_cache and there and there.labels.get(BUILD_LABEL) == key:
            return Built(stack.name, tags[0], there.id, there.size, False, time.monotonic() - started)
        require_fit(lock, settings)
        base.ensure(lock.base, settings, engine, ui)
        below = _below(lock, settings, engine, ui, anew=not use_cache)
        rendered = render(stack, lock, settings)
        ui.step(f"building {tags[0]}")
        earlier = {name: engine.image(name) for name in tags}
        put = labels(stack, lock, settings, engine)
        with chosen(lock.base, settings, engine, ui, lock) as by:
            buildx.run(rendered, engine, ui, tags=tags, labels=put, epoch=lock.epoch, use_cache=use_cache, by=by)
        made = engine.image(tags[0])
        if made is None:
            raise RuntimeError(f"{tags[0]} was built but the engine does not list it")
        name = layers_tag(lock) or base_tag(lock.base)
        if engine.image(name) != below or made.layers[: len(below.layers)] != below.layers:
            _take_back(earlier, engine)
            why = "its name was given to another image meanwhile, by another user or home of this engine"
            problem = f"{tags[0]} was not built on the base that was verified"
            raise JobError(problem, where=name, why=why, fix="run the build again")
        return Built(stack.name, tags[0], made.id, made.size, True, time.monotonic() - started)


def _below(lock: StackLock, settings: Settings, engine: Engine, ui: Ui, *, anew: bool) -> ImageFacts:
    """What the Dockerfile begins from: the base, with the large wheels on it where there are any."""
    from builder.build import layered  # noqa: PLC0415 - a run that has nothing to do does without

    return layered.ensure(lock, settings, engine, ui, anew=anew)


def _take_back(earlier: Mapping[str, ImageFacts | None], engine: Engine) -> None:
    """Give these names to the images again that had them before, or to none."""
    for name, image in earlier.items():
        engine.remove(name)
        if image is not None:
            engine.tag(image.id, name)
