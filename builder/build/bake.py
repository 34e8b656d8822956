"""The images of several stacks as one file of `docker buildx bake`, which gives the same images as `make build`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from builder.build import base, buildx, layered
from builder.build.compile import compile_all
from builder.build.image import labels, names, require_fit
from builder.engine.client import Engine
from builder.lock.existing import locked
from builder.render import render
from builder.render.guard import require_ours
from builder.settings import Settings
from builder.spec.model import Stack
from builder.ui import Ui


def document(
    stacks: Sequence[Stack], settings: Settings, engine: Engine, ui: Ui, *, offline: bool = False
) -> dict[str, Any]:
    """The content of docker-bake.json. What the images need is there then: bases, compiled wheels, contexts.

    Raises as `compile_all`, `base.ensure` and `render` do.
    """
    targets = {one.name.replace(".", "_"): _target(one, settings, engine, ui, offline=offline) for one in stacks}
    return {"group": {"default": {"targets": list(targets)}}, "target": targets}


def _target(stack: Stack, settings: Settings, engine: Engine, ui: Ui, *, offline: bool) -> dict[str, Any]:
    lock = compile_all(stack, locked(stack), stack.folder, settings, engine, ui, frozen=True, offline=offline)
    require_fit(lock, settings)
    base.ensure(lock.base, settings, engine, ui)
    layered.ensure(lock, settings, engine, ui)
    rendered = render(stack, lock, settings)
    require_ours(rendered.dockerfile.read_text(), rendered.contexts, str(rendered.dockerfile))
    tags = names(stack, lock, settings)
    return {
        "context": str(rendered.folder / "contexts" / "empty"),
        "dockerfile": str(rendered.dockerfile),
        "contexts": {name: str(folder) for name, folder in sorted(rendered.contexts.items())},
        "args": {"SOURCE_DATE_EPOCH": str(lock.epoch)},
        "labels": labels(stack, lock, settings, engine),
        "platforms": ["linux/amd64"],
        "network": "none",
        "attest": ["type=provenance,disabled=true"],
        "output": [buildx.output(engine, tags)],
    }


def place(settings: Settings) -> Path:
    """Where the file goes if nobody says."""
    return settings.build / "docker-bake.json"
