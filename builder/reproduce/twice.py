"""Two builds without any cache, and what differs between them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from builder.build import build
from builder.build.base import bootstrap
from builder.build.base import ensure as ensure_base
from builder.engine.client import Engine, ImageFacts
from builder.errors import JobError
from builder.files import scratch, sha256_of
from builder.lock.model import StackLock
from builder.reproduce.differences import Difference, differences
from builder.settings import Settings
from builder.spec.model import Stack
from builder.ui import Ui

_MEANING = {
    "overlay2": "the image id, which is the digest of its OCI configuration and so of every uncompressed layer",
    "containerd": "the image id, which is the digest of its manifest and so of its configuration and every "
    "compressed layer",
}


@dataclass(frozen=True)
class Report:
    """Two builds compared. layers: (first, second) uncompressed digests. compared: which identity is meant."""

    stack: str
    store: str
    identical: bool
    compared: str
    ids: tuple[str, str]
    layers: tuple[tuple[str, str], ...]
    base: tuple[str, str]
    files: tuple[Difference, ...]
    seconds: float

    def document(self) -> dict[str, Any]:
        """For --json."""
        return asdict(self)

    def table(self, ui: Ui) -> None:
        """What was compared, and each file that differs."""

        def row(what: str, pair: tuple[str, str]) -> list[str]:
            return [what, *(value[7:19] for value in pair), "same" if pair[0] == pair[1] else "DIFFERENT"]

        rows = [row("image", self.ids)]
        rows += [row("base root", self.base)] if self.base[0] else []
        rows += [row(f"layer {number}", pair) for number, pair in enumerate(self.layers)]
        ui.table(f"{self.stack}: {'identical' if self.identical else 'DIFFERENT'}", ["", "first", "second", ""], rows)
        ui.tell(f"compared: {self.compared} ({self.store} image store)")
        if self.files:
            ui.table("files that differ", ["path", "what", "first", "second"], [list(item) for item in self.files[:50]])
            if len(self.files) > 50:
                ui.tell(f"and {len(self.files) - 50} more; --json lists all")
        elif not self.identical:
            ui.tell("every file is the same; only the encoding of layers or the configuration differs")


def reproduce(stack: Stack, lock: StackLock, settings: Settings, engine: Engine, ui: Ui) -> Report:
    """Build a stack twice without cache under names of their own, which are removed at the end.

    A bootstrapped base is made anew as well and held against the one in the engine.
    Raises JobError or SurroundingsError where a build fails.
    """
    started = time.monotonic()
    base = ("", "")
    if lock.base.kind == "bootstrap":
        there = engine.image(ensure_base(lock.base, settings, engine, ui))
        if there is None:
            raise JobError("the base image vanished from the engine", fix="run it again")
        ui.step("bootstrapping the base once more")
        with scratch(settings.assets / "bases" / ".scratch", "reproduce-") as folder:
            base = (there.layers[0], f"sha256:{sha256_of(bootstrap(lock.base, settings, folder, ui))}")
    with _built(stack, lock, settings, engine, ui, "1") as one, _built(stack, lock, settings, engine, ui, "2") as two:
        first, second = _facts(engine, one), _facts(engine, two)
        identical = first.id == second.id and base[0] == base[1]
        return Report(
            stack=stack.name,
            store=engine.info.store,
            identical=identical,
            compared=_MEANING.get(engine.info.store, "the image id"),
            ids=(first.id, second.id),
            layers=tuple(zip(first.layers, second.layers, strict=False)),
            base=base,
            files=() if identical else tuple(differences(engine, one, two)),
            seconds=round(time.monotonic() - started, 1),
        )


@contextmanager
def _built(stack: Stack, lock: StackLock, settings: Settings, engine: Engine, ui: Ui, number: str) -> Iterator[str]:
    tag = settings.image(stack.name, f"reproduce-{number}")
    # The engine keeps its copies of contexts even where no cache is used, and their times with them.
    _forget_contexts(settings, engine)
    try:
        build(stack, lock, settings, engine, ui, tag=tag, use_cache=False)
        yield tag
    finally:
        engine.remove(tag)


def _forget_contexts(settings: Settings, engine: Engine) -> None:
    name = settings.builder or engine.info.context
    engine.run(["buildx", "prune", "--builder", name, "--force", "--filter", "type=source.local"])


def _facts(engine: Engine, tag: str) -> ImageFacts:
    found = engine.image(tag)
    if found is None:
        raise JobError(f"{tag} vanished from the engine", fix="run it again")
    return found
