"""An image of the engine as the blobs that a registry holds: the same bytes from every machine and image store.

buildx writes OCI layouts (`type=oci`) only where the engine keeps images in containerd's store, and packs layers by a
zstd of the engine's. So the engine is asked for the image as it is (`docker save`), whose configuration is the same in
both stores; each layer is held to the sha256 that the configuration has for it, and packed here by a zstd of our own,
locked with the program.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import tarfile
import tempfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal, Protocol

import zstandard

from builder.engine.client import Engine, ImageFacts
from builder.errors import JobError
from builder.files import held, write_atomic
from builder.registry.descriptor import CONFIG, Descriptor
from builder.ui import Ui, human_bytes

Compression = Literal["zstd", "gzip"]
_LEVEL = {"zstd": 3, "gzip": 6}
_PIECE = 1 << 20
_SMALL = 4 << 20  # bytes of a manifest or configuration, and no layer is taken for one that is larger
_ZSTD, _GZIP = b"\x28\xb5\x2f\xfd", b"\x1f\x8b"
_LAYER = "application/vnd.oci.image.layer.v1.tar"
_RECORD = "packed.json"


class Readable(Protocol):
    """What bytes are read from."""

    def read(self, size: int = -1, /) -> bytes:
        """At most so many bytes, none at the end."""
        ...


@dataclass(frozen=True)
class Layer:
    """A layer. diff_id: sha256:… of its tar. blob: what it is in the registry."""

    diff_id: str
    blob: Descriptor


@dataclass(frozen=True)
class Packed:
    """An image's configuration as the engine has it, and its layers as files in folder."""

    config: bytes
    layers: tuple[Layer, ...]
    folder: Path

    @property
    def config_blob(self) -> Descriptor:
        """The configuration's descriptor."""
        return Descriptor.of(CONFIG, self.config)

    def path(self, layer: Layer) -> Path:
        """Where the packed bytes of a layer lie."""
        return _place(self.folder, layer.blob.digest)


def _place(folder: Path, digest: str) -> Path:
    return folder / "blobs" / digest.replace(":", "-")


def pack(engine: Engine, image: ImageFacts, folder: Path, ui: Ui, *, compression: Compression = "zstd") -> Packed:
    """The blobs of an image in the engine, kept in folder for the next time.

    Raises JobError where what the engine hands out is not the image of that id.
    """
    with held(folder / ".packing"):
        known = _known(folder, compression)
        if (config := _read(folder / "config.json")) and all(one in known for one in image.layers):
            packed = Packed(config, tuple(known[one] for one in image.layers), folder)
            if _is(config, image):
                return packed
        with ui.working(f"packing the layers ({compression})"):
            documents, layers = _taken(engine, image, folder, compression, known, ui)
        config = _config(documents, image)
        known |= layers
        if lost := [one for one in image.layers if one not in known]:
            raise _unlike(image, f"the layer {lost[0]} was not among what it handed out")
        _forget(folder, {known[one].blob.digest for one in image.layers})
        rows = [{"diff_id": one, **known[one].blob.document()} for one in image.layers]
        write_atomic(folder / "config.json", config)
        write_atomic(folder / _RECORD, json.dumps({"compression": compression, "layers": rows}))
        return Packed(config, tuple(known[one] for one in image.layers), folder)


def _known(folder: Path, compression: Compression) -> dict[str, Layer]:
    """What was packed before, by diff id, as far as its file is whole."""
    try:
        record = json.loads(_read(folder / _RECORD))
        rows = record["layers"] if record["compression"] == compression else []
        found = [Layer(str(row["diff_id"]), Descriptor.parse(row)) for row in rows]
    except (ValueError, KeyError, TypeError):
        return {}
    return {one.diff_id: one for one in found if _whole(_place(folder, one.blob.digest), one.blob)}


def _whole(path: Path, blob: Descriptor) -> bool:
    """Whether a file is still what was written: it is hashed, as it is about to be published."""
    if not path.is_file() or path.stat().st_size != blob.size:
        return False
    with path.open("rb") as stream:
        digest = hashlib.sha256()
        while piece := stream.read(_PIECE):
            digest.update(piece)
    return f"sha256:{digest.hexdigest()}" == blob.digest


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _forget(folder: Path, wanted: set[str]) -> None:
    for path in (folder / "blobs").iterdir():
        if path.name.replace("-", ":") not in wanted:
            path.unlink()


def _taken(
    engine: Engine, image: ImageFacts, folder: Path, compression: Compression, known: dict[str, Layer], ui: Ui
) -> tuple[dict[str, bytes], dict[str, Layer]]:
    """The small JSON files of the engine's archive by their names in it, and every layer in it that is not known."""
    documents: dict[str, bytes] = {}
    layers: dict[str, Layer] = {}
    (folder / "blobs").mkdir(parents=True, exist_ok=True)
    try:
        with engine.saved(image.id) as stream, tarfile.open(fileobj=stream, mode="r|") as tar:
            for member in tar:
                source = tar.extractfile(member) if member.isfile() else None
                if source is None or f"sha256:{Path(member.name).name}" in known:
                    continue
                data = source.read() if member.size <= _SMALL else b""
                if _is_json(data):
                    documents[member.name] = data
                    continue
                layer = _packed(io.BytesIO(data) if data else source, folder, compression)
                if layer.diff_id in image.layers:
                    layers[layer.diff_id] = layer
                    ui.sub("publish", f"layer {layer.diff_id[7:19]}: {human_bytes(layer.blob.size)}")
    except (tarfile.TarError, zstandard.ZstdError, zlib.error, EOFError) as error:
        raise _unlike(image, str(error)) from None
    return documents, layers


def _is_json(data: bytes) -> bool:
    if data[:1] not in (b"{", b"["):
        return False
    try:
        json.loads(data)
    except ValueError:
        return False
    return True


def _config(documents: dict[str, bytes], image: ImageFacts) -> bytes:
    """The configuration, as the archive's manifest.json names it."""
    try:
        (row,) = json.loads(documents["manifest.json"])
        config = documents[row["Config"]]
    except (ValueError, KeyError, TypeError):
        raise _unlike(image, "it handed out no configuration") from None
    if not _is(config, image):
        raise _unlike(image, "its configuration names other layers")
    return config


def _is(config: bytes, image: ImageFacts) -> bool:
    """Whether a configuration is that of an image: of its id where the store names images so, and of its layers."""
    try:
        told: Any = json.loads(config)
        same = tuple(told["rootfs"]["diff_ids"]) == image.layers
        labels = (told["config"].get("Labels") or {}) == dict(image.labels)
    except (ValueError, KeyError, TypeError, AttributeError):
        return False
    return same and labels and bool(image.layers)


def _unlike(image: ImageFacts, why: str) -> JobError:
    return JobError("the engine hands out another image", where=image.id, why=why, fix="build it anew, then try again")


def _packed(source: Readable, folder: Path, compression: Compression) -> Layer:
    """Unpack a layer as far as it is packed, and pack it anew into a file of its digest."""
    raw, packed, size = hashlib.sha256(), hashlib.sha256(), 0
    handle, name = tempfile.mkstemp(prefix=".new-", dir=folder / "blobs")
    try:
        with os.fdopen(handle, "wb") as out:
            press, end = _press(compression)
            for piece in unpacked(source):
                raw.update(piece)
                size += _put(out, packed, press(piece))
            size += _put(out, packed, end())
        blob = Descriptor(f"{_LAYER}+{compression}", f"sha256:{packed.hexdigest()}", size)
        Path(name).chmod(0o644)
        Path(name).replace(_place(folder, blob.digest))
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return Layer(f"sha256:{raw.hexdigest()}", blob)


def _put(out: IO[bytes], digest: Any, data: bytes) -> int:  # noqa: ANN401 - hashlib's own type has no name
    digest.update(data)
    return out.write(data)


def _press(compression: Compression) -> tuple[Callable[[bytes], bytes], Callable[[], bytes]]:
    """What packs pieces, and what ends it. zstd gives the same bytes with any number of threads from one on."""
    if compression == "gzip":
        one = zlib.compressobj(_LEVEL["gzip"], zlib.DEFLATED, 31)
        return one.compress, one.flush
    threads = max(1, os.cpu_count() or 1)
    other = zstandard.ZstdCompressor(level=_LEVEL["zstd"], threads=threads).compressobj()
    return other.compress, other.flush


def unpacked(source: Readable) -> Iterator[bytes]:
    """The bytes of a layer's tar, however it is packed, in pieces of one size: no packing depends on how they came."""
    head = source.read(4)
    stream: Any = _Joined(head, source)
    if head == _ZSTD:
        stream = zstandard.ZstdDecompressor().stream_reader(stream, read_across_frames=True)
    elif head[:2] == _GZIP:
        stream = gzip.GzipFile(fileobj=io.BufferedReader(stream))
    waiting = b""
    while piece := stream.read(_PIECE):
        waiting += piece
        while len(waiting) >= _PIECE:
            yield waiting[:_PIECE]
            waiting = waiting[_PIECE:]
    if waiting:
        yield waiting


class _Joined(io.RawIOBase):
    """What was read already, then the rest."""

    def __init__(self, head: bytes, rest: Readable) -> None:
        self._head, self._rest = head, rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401
        data = self._head[: len(buffer)] or self._rest.read(len(buffer))
        self._head = self._head[len(data) :] if self._head else b""
        buffer[: len(data)] = data
        return len(data)


def manifest(packed: Packed) -> bytes:
    """The image's manifest; what its labels say of it stands in the annotations. Always the same bytes."""
    told = json.loads(packed.config)
    labels = told["config"].get("Labels") or {}
    annotations = {key: value for key, value in labels.items() if key.startswith("org.opencontainers.image.")}
    annotations["org.opencontainers.image.created"] = told["created"]
    document = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": packed.config_blob.document(),
        "layers": [layer.blob.document() for layer in packed.layers],
        "annotations": annotations,
    }
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
