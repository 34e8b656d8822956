"""An image of a base and the layers of large wheels as the engine, or a BuildKit of one's own, takes it."""

from __future__ import annotations

import hashlib
import json
import queue
import tarfile
import threading
from collections.abc import Generator, Iterable, Sequence
from pathlib import Path
from typing import IO, Any

from builder.build import base, wheel_layer
from builder.build.archive import to_json
from builder.build.layer_notes import Layer, known, noted, require_locked
from builder.engine.client import ImageFacts
from builder.errors import JobError
from builder.lock.model import StackLock
from builder.render.ready import layers_tag
from builder.settings import Settings

_TAR = "application/vnd.oci.image.layer.v1.tar"
_CREATED = "1980-01-01T00:00:00Z"  # as every file that a build makes
_SMALL = 1 << 16  # bytes of pieces that are put together
_WAITING = 8  # pieces of a MB that are made before the engine takes them


class Archive:
    """The image as `docker load` takes it, made while it is read: layers first, what they turned out to be last."""

    def __init__(
        self, layers: Sequence[Layer], there: int, below: ImageFacts, lock: StackLock, settings: Settings
    ) -> None:
        self.sent = 0
        self.base: Iterable[tuple[IO[bytes], int]] = ()
        self._layers, self._there, self._below = layers, there, below
        self._lock, self._settings = lock, settings
        self._queue: queue.Queue[bytes | BaseException | None] = queue.Queue(_WAITING)
        self._stopped = False
        self._small_ones = bytearray()

    def pieces(self) -> Generator[bytes, None, None]:
        """The bytes. They are made by a thread of their own, as the engine takes those before."""
        maker = threading.Thread(target=self._make, daemon=True)
        maker.start()
        try:
            while (piece := self._queue.get()) is not None:
                if isinstance(piece, BaseException):
                    raise piece
                yield piece
        finally:
            self._stopped = True
            while maker.is_alive():  # it may wait for room
                try:
                    self._queue.get(timeout=0.1)
                except queue.Empty:
                    continue

    def _make(self) -> None:
        try:
            self._write()
            self._put(bytes(_SMALL))  # the end of a tar, and what waits goes out
            self._queue.put(None)
        except BaseException as error:
            if not self._stopped:
                self._queue.put(error)

    def _put(self, data: bytes) -> None:
        if self._stopped:
            raise _StoppedError
        self.sent += len(data)
        self._small_ones += data if len(data) < _SMALL else b""
        if len(data) < _SMALL and len(self._small_ones) < _SMALL:
            return
        if self._small_ones:
            self._queue.put(bytes(self._small_ones))
            self._small_ones.clear()
        if len(data) >= _SMALL:
            self._queue.put(data)

    def _write(self) -> None:
        lock, settings = self._lock, self._settings
        config = base.configuration(lock.base, self._below, settings)
        names = [f"{number}.tar" for number, _ in enumerate(self._below.layers)]
        for name, (stream, size) in zip(names, self.base, strict=False):
            self._put(_header(name, size))
            while piece := stream.read(1 << 20):
                self._put(piece)
            self._put(b"\0" * (-size % tarfile.BLOCKSIZE))
        diff_ids = list(self._below.layers)
        history = config.setdefault("history", [])
        for number, layer in enumerate(self._layers):
            made = layer if number < self._there else self._layer(layer)
            names.append(f"{made.item.sha256}.tar")
            diff_ids.append(made.diff_id)
            history.append(_history(made))
        config["rootfs"] = {"type": "layers", "diff_ids": diff_ids}
        self._small("config.json", to_json(config))
        row = {"Config": "config.json", "RepoTags": [layers_tag(lock)], "Layers": names}
        self._small("manifest.json", to_json([row]))

    def _layer(self, layer: Layer) -> Layer:
        """Put a layer into the archive; gives it with its digest, which is kept."""
        size = layer.size or wheel_layer.size(layer.wheel, self._lock.python)
        self._put(_header(f"{layer.item.sha256}.tar", size))
        before, digest = self.sent, hashlib.sha256()

        def put(piece: bytes) -> None:
            if not layer.diff_id:
                digest.update(piece)
            self._put(piece)

        wheel_layer.write(layer.wheel, self._lock.python, put)
        if self.sent - before != size:
            raise JobError(f"the layer of {layer.item.filename} has {self.sent - before} bytes, not {size}")
        self._put(b"\0" * (-size % tarfile.BLOCKSIZE))
        if layer.diff_id:
            return layer
        made = Layer(layer.wheel, layer.item, size, "")
        return noted(made, f"sha256:{digest.hexdigest()}", self._lock, self._settings)

    def _small(self, name: str, data: bytes) -> None:
        self._put(_header(name, len(data)) + data + b"\0" * (-len(data) % tarfile.BLOCKSIZE))


def layout(lock: StackLock, settings: Settings, out: Path) -> str:
    """Put the layers on a base that lies at out as an OCI layout; gives oci-layout://FOLDER@DIGEST.

    Raises as `ensure` does.
    """
    blobs = out / "blobs" / "sha256"
    index = json.loads((out / "index.json").read_bytes())
    manifest = json.loads((blobs / _hex(index["manifests"][0])).read_bytes())
    config = json.loads((blobs / _hex(manifest["config"])).read_bytes())
    for layer in known(lock, settings):
        require_locked(layer)
        digest, aside = hashlib.sha256(), blobs / "new"
        with aside.open("wb") as stream:

            def put(piece: bytes, digest: Any = digest, stream: Any = stream) -> None:  # noqa: ANN401
                digest.update(piece)
                stream.write(piece)

            wheel_layer.write(layer.wheel, lock.python, put)
        made = noted(layer, f"sha256:{digest.hexdigest()}", lock, settings)
        aside.replace(blobs / digest.hexdigest())
        manifest["layers"].append({"mediaType": _TAR, "digest": made.diff_id, "size": made.size})
        config["rootfs"]["diff_ids"].append(made.diff_id)
        config.setdefault("history", []).append(_history(made))
    manifest["config"] |= _blob(blobs, to_json(config))
    index["manifests"] = [{"mediaType": index["manifests"][0]["mediaType"], **_blob(blobs, to_json(manifest))}]
    (out / "index.json").write_bytes(to_json(index))
    return f"oci-layout://{out}@{index['manifests'][0]['digest']}"


def _blob(blobs: Path, data: bytes) -> dict[str, Any]:
    digest = hashlib.sha256(data).hexdigest()
    (blobs / digest).write_bytes(data)
    return {"digest": f"sha256:{digest}", "size": len(data)}


def _hex(descriptor: dict[str, Any]) -> str:
    return str(descriptor["digest"]).removeprefix("sha256:")


def _history(layer: Layer) -> dict[str, str]:
    return {"created": _CREATED, "created_by": f"modelstacks layer of {layer.item.filename}"}


class _StoppedError(Exception):
    """Nobody reads the archive any more."""


def _header(name: str, size: int) -> bytes:
    entry = tarfile.TarInfo(name)
    entry.size = size
    return entry.tobuf(tarfile.GNU_FORMAT)
