"""An image's fetched blobs as an archive that every image store loads: an OCI layout with a Docker manifest.json."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

from builder.errors import JobError
from builder.lock.model import LockedBase
from builder.render.dockerfile import base_tag
from builder.settings import Settings

_OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def write_image(base: LockedBase, settings: Settings, out: Path) -> None:
    """Write the image of a lock to out, under its tag.

    Raises JobError where the fetched manifest names other blobs than the lock.
    """
    paths = {blob.sha256: settings.home / blob.folder / blob.filename for blob in base.blobs}
    first = base.blobs[0]
    manifest = json.loads(paths[first.sha256].read_bytes())
    layers = [str(row["digest"]).removeprefix("sha256:") for row in manifest["layers"]]
    config = str(manifest["config"]["digest"]).removeprefix("sha256:")
    if {first.sha256, config, *layers} != set(paths):
        problem = "the manifest of the base image names other blobs than the lock"
        raise JobError(problem, where=str(paths[first.sha256]), fix="run `make lock`")
    tag = base_tag(base)
    descriptor = {
        "mediaType": manifest.get("mediaType", _OCI_MANIFEST),
        "digest": f"sha256:{first.sha256}",
        "size": first.size,
        "annotations": {
            "io.containerd.image.name": f"docker.io/{tag}",
            "org.opencontainers.image.ref.name": tag.split(":")[1],
        },
    }
    docker = {"Config": _name(config), "RepoTags": [tag], "Layers": [_name(layer) for layer in layers]}
    index = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [descriptor]}
    with tarfile.open(out, "w", format=tarfile.GNU_FORMAT) as tar:
        for name, value in (
            ("oci-layout", {"imageLayoutVersion": "1.0.0"}),
            ("index.json", index),
            ("manifest.json", [docker]),
        ):
            data = json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
        for digest, path in paths.items():
            entry = tarfile.TarInfo(_name(digest))
            entry.size = path.stat().st_size
            with path.open("rb") as stream:
                tar.addfile(entry, stream)


def _name(digest: str) -> str:
    return f"blobs/sha256/{digest}"
