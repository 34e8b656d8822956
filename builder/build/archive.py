"""Images as archives that every image store loads: an OCI layout that also carries Docker's manifest.json."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from builder.errors import JobError
from builder.files import read_bounded
from builder.lock.model import LockedBase
from builder.settings import Settings

_OCI = "application/vnd.oci.image"
_LARGEST_MANIFEST = 4 << 20  # bytes, as the specification asks clients to allow


def write_archive(out: Path, tag: str, manifest: bytes, blobs: Mapping[str, bytes | Path]) -> None:
    """Write an image to out, under its tag.

    manifest: of OCI or Docker, naming one configuration and layers. blobs: those, by the sha256 of each. Raises
    JobError where a blob has other bytes.
    """
    told = json.loads(manifest)
    digest = hashlib.sha256(manifest).hexdigest()
    descriptor = {
        "mediaType": told.get("mediaType", f"{_OCI}.manifest.v1+json"),
        "digest": f"sha256:{digest}",
        "size": len(manifest),
        "annotations": {
            "io.containerd.image.name": f"docker.io/{tag}",
            "org.opencontainers.image.ref.name": tag.split(":")[1],
        },
    }
    index = {"schemaVersion": 2, "mediaType": f"{_OCI}.index.v1+json", "manifests": [descriptor]}
    layers = [_name(row["digest"]) for row in told["layers"]]
    docker = {"Config": _name(told["config"]["digest"]), "RepoTags": [tag], "Layers": layers}
    # GNU's format holds files of any size; USTAR ends at 8 GiB.
    with tarfile.open(out, "w", format=tarfile.GNU_FORMAT) as tar:
        for name, value in (
            ("oci-layout", {"imageLayoutVersion": "1.0.0"}),
            ("index.json", index),
            ("manifest.json", [docker]),
        ):
            _add(tar, name, to_json(value))
        for sha256, data in {digest: manifest, **blobs}.items():
            _add(tar, _name(sha256), data, sha256)


def image_blobs(base: LockedBase, settings: Settings) -> tuple[bytes, dict[str, bytes | Path]]:
    """The manifest of a locked image, and its other blobs as they were fetched, which `write_archive` hashes.

    Raises JobError where the fetched manifest is not the locked one, or names other blobs than the lock.
    """
    paths: dict[str, bytes | Path] = {
        blob.sha256: settings.home / blob.folder / blob.filename for blob in base.blobs[1:]
    }
    first = base.blobs[0]
    place = settings.home / first.folder / first.filename
    manifest = read_bounded(place, _LARGEST_MANIFEST)
    if hashlib.sha256(manifest).hexdigest() != first.sha256:
        raise _rotten(place)
    try:
        told = json.loads(manifest)
        config, *layers = (str(row["digest"]).removeprefix("sha256:") for row in (told["config"], *told["layers"]))
    except (ValueError, KeyError, TypeError, RecursionError):
        config, layers = "", []
    if config != base.blobs[1].sha256 or {config, *layers} != set(paths):
        problem = "the manifest of the base image names other blobs than the lock"
        raise JobError(problem, where=str(place), fix="run `make lock`, and find out who changed the lock")
    return manifest, paths


def to_json(value: object) -> bytes:
    """JSON of which the same value always gives the same bytes."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def _add(tar: tarfile.TarFile, name: str, data: bytes | Path, sha256: str = "") -> None:
    """sha256: of a file, which is held to it while it is copied."""
    entry = tarfile.TarInfo(name)
    if isinstance(data, bytes):
        entry.size = len(data)
        tar.addfile(entry, io.BytesIO(data))
        return
    entry.size = data.stat().st_size
    with data.open("rb") as stream:
        hashed = _Hashed(stream)
        tar.addfile(entry, hashed)
    if hashed.digest.hexdigest() != sha256:
        raise _rotten(data)


class _Hashed:
    """A stream that is hashed while it is copied."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        piece = self._stream.read(size)
        self.digest.update(piece)
        return piece


def _rotten(path: Path) -> JobError:
    problem = f"{path.name[:12]} of the image has other bytes than the lock says"
    return JobError(problem, where=str(path), fix="run `make fetch VERIFY=1` with the STACK=NAME that is built")


def _name(digest: str) -> str:
    return f"blobs/sha256/{digest.removeprefix('sha256:')}"
