"""Whether the lock gives the very image that was published: it is built here, without any cache, and compared."""

from __future__ import annotations

import json

from builder.build import build, compile_all
from builder.engine.client import Engine
from builder.errors import JobError
from builder.files import scratch
from builder.lock.existing import locked
from builder.publish.packed import Compression, manifest, pack
from builder.registry import digest_of
from builder.registry.repository import Found
from builder.settings import Settings
from builder.spec.model import Stack
from builder.ui import Ui
from builder.verify.model import Verified


def compare(stack: Stack, there: Found, settings: Settings, engine: Engine, ui: Ui, found: Verified) -> None:
    """Build a stack that is here by the published lock, and note what differs.

    Raises as `compile_all` and `build` do: what was not fetched, or does not build, proves nothing.
    """
    lock = locked(stack)
    if lock.digest != found.lock:
        found.fault("rebuild", str(stack.folder), f"the lock here is another, of sha256 {lock.digest}")
        return
    lock = compile_all(stack, lock, stack.folder, settings, engine, ui, frozen=True, offline=True)
    tag = settings.image(stack.name, "verify")
    try:
        build(stack, lock, settings, engine, ui, tag=tag, use_cache=False)
        image = engine.image(tag)
        if image is None:
            raise JobError(f"{tag} vanished from the engine", fix="run it again")
        with scratch(settings.build / stack.name / ".verify", "oci-") as folder:
            packed = pack(engine, image, folder, ui, compression=_compression(there))
            data = manifest(packed)
    finally:
        engine.remove(tag)
    if digest_of(data) == there.digest:
        found.held.append(f"built here from its lock it is {there.digest} again")
        return
    own = json.loads(data)
    if own["config"] != there.document["config"]:
        found.fault("rebuild", "config", f"built here it is {own['config']['digest']}")
    theirs = there.document["layers"]
    for number, row in enumerate(own["layers"]):
        if number >= len(theirs) or theirs[number] != row:
            found.fault("rebuild", f"layer {number}", f"built here it is {row['digest']}")
    found.fault("rebuild", there.digest, f"built here it is {digest_of(data)}")


def _compression(there: Found) -> Compression:
    rows = there.document.get("layers")
    kinds = [str(row.get("mediaType")) for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    return "gzip" if any("gzip" in kind for kind in kinds) else "zstd"
