"""Images as archives that every image store loads: an OCI layout that also carries Docker's manifest.json."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path

from builder.errors import JobError
from builder.lock.model import LockedBase
from builder.settings import Settings

_OCI = "application/vnd.oci.image"


def write_archive(out: Path, tag: str, manifest: bytes, blobs: Mapping[str, bytes | Path]) -> None:
    """Write an image to out, under its tag.

    manifest: of OCI or Docker, naming one configuration and layers. blobs: those, by the sha256 of each.
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
            _add(tar, _name(sha256), data)


def image_blobs(base: LockedBase, settings: Settings) -> tuple[bytes, dict[str, bytes | Path]]:
    """The manifest of a locked image, and its other blobs as they were fetched.

    Raises JobError where the fetched manifest names other blobs than the lock.
    """
    paths: dict[str, bytes | Path] = {
        blob.sha256: settings.home / blob.folder / blob.filename for blob in base.blobs[1:]
    }
    first = base.blobs[0]
    place = settings.home / first.folder / first.filename
    manifest = place.read_bytes()
    told = json.loads(manifest)
    named = {str(row["digest"]).removeprefix("sha256:") for row in (told["config"], *told["layers"])}
    if named != set(paths):
        problem = "the manifest of the base image names other blobs than the lock"
        raise JobError(problem, where=str(place), fix="run `make lock`")
    return manifest, paths


def to_json(value: object) -> bytes:
    """JSON of which the same value always gives the same bytes."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def _add(tar: tarfile.TarFile, name: str, data: bytes | Path) -> None:
    entry = tarfile.TarInfo(name)
    if isinstance(data, bytes):
        entry.size = len(data)
        tar.addfile(entry, io.BytesIO(data))
        return
    entry.size = data.stat().st_size
    with data.open("rb") as stream:
        tar.addfile(entry, stream)


def _name(digest: str) -> str:
    return f"blobs/sha256/{digest.removeprefix('sha256:')}"
