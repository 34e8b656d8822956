"""The base with a lock's large wheels on it, each a layer, as an image of the engine: what the Dockerfile begins from.

The layers go to the engine as they are made of the wheels (`docker load`), never to a disk here; those that it has are
left out. Of a layer made before the digest is kept beside the wheels, so that the next image is known without making
it, and the engine refuses one that comes out otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace

from builder.build import base
from builder.build.layer_archive import Archive
from builder.build.layer_notes import Layer, known, made, require_locked
from builder.engine.client import Engine, ImageFacts
from builder.errors import JobError
from builder.files import held
from builder.lock.model import StackLock
from builder.render.ready import layers_tag
from builder.settings import Settings
from builder.ui import Ui, human_bytes


def ensure(lock: StackLock, settings: Settings, engine: Engine, ui: Ui, *, anew: bool = False) -> ImageFacts:
    """Have the image in the engine under its tag, the base itself where no wheel is a layer; gives what it has.

    The base is there. anew: make every layer again, whatever is kept. Raises InputError for a wheel that is not the
    locked one or cannot be laid out, JobError where the engine has another image of that name in the end.
    """
    below = base.seen(lock.base, settings, engine)
    if not (tag := layers_tag(lock)):
        return below
    with held(settings.home / "wheels" / ".layers" / f"{tag.rpartition(':')[2]}.lock"):
        layers = known(lock, settings)
        there = engine.image(tag)
        if there and anew:
            layers = [made(one, lock, settings) for one in layers]
        if there and there.layers == (*below.layers, *(one.diff_id for one in layers)):
            return there
        _load(layers, below, lock, settings, engine, ui)
    return seen(lock, settings, engine)


def seen(lock: StackLock, settings: Settings, engine: Engine) -> ImageFacts:
    """What `ensure` put there. Raises JobError where the name no longer stands for it."""
    below = base.seen(lock.base, settings, engine)
    if not (tag := layers_tag(lock)):
        return below
    there = engine.image(tag)
    if there is None or there.layers != (*below.layers, *(one.diff_id for one in known(lock, settings))):
        why = f"it is {there.id if there else 'gone'}: another user or home of this engine changed it"
        problem = "the image of the large wheels is not the one that was made"
        raise JobError(problem, where=tag, why=why, fix="run the build again")
    return there


def _load(
    layers: Sequence[Layer], below: ImageFacts, lock: StackLock, settings: Settings, engine: Engine, ui: Ui
) -> None:
    """Send the image. Where the engine refuses what is kept of the layers or left out, all is made and sent anew."""
    there = 0 if engine.info.store == "containerd" else _there(layers, below, engine)
    try:
        _send(layers, there, below, lock, settings, engine, ui)
    except JobError:
        if not there and not any(one.diff_id for one in layers):
            raise
        forgotten = [replace(one, size=0, diff_id="") for one in layers]
        _send(forgotten, 0, below, lock, settings, engine, ui)


def _send(
    layers: Sequence[Layer],
    there: int,
    below: ImageFacts,
    lock: StackLock,
    settings: Settings,
    engine: Engine,
    ui: Ui,
) -> None:
    for one in layers:
        if not one.diff_id:  # a layer that was made before is held to its digest by the engine
            require_locked(one)
    with ui.working(f"making layers of {len(layers) - there} wheels") as work:
        archive = Archive(layers, there, below, lock, settings)
        if engine.info.store == "containerd":  # it takes no archive of which layers are left out
            archive.base = base.archived_layers(lock.base, settings, ui)
        with closing(archive.pieces()) as pieces:
            engine.load(pieces, layers_tag(lock))
        work.done = f"{len(layers) - there} layers made of wheels, {there} were there: {human_bytes(archive.sent)}"


def _there(layers: Sequence[Layer], below: ImageFacts, engine: Engine) -> int:
    """How many of the layers the engine has already, on this base and in this order, in another image of ours."""
    wanted = [one.diff_id for one in layers]
    most = 0
    form = ["--format", "{{.Repository}}:{{.Tag}}", "modelstacks/layers"]
    for name in engine.run(["image", "ls", *form]).stdout.split():
        image = engine.image(name)
        if image is None or image.layers[: len(below.layers)] != below.layers:
            continue
        same = 0
        for one, other in zip(wanted, image.layers[len(below.layers) :], strict=False):
            if one != other:
                break
            same += 1
        most = max(most, same)
    return most
