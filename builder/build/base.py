"""The base image in the engine: made here from locked .deb files, or put together from its fetched blobs."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import stat
import tarfile
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import IO, Any

from builder.build import sandbox
from builder.build.archive import image_blobs, to_json, write_archive
from builder.engine.client import Engine, ImageFacts
from builder.errors import InputError, JobError, SurroundingsError
from builder.files import held, same_file, scratch, sha256_of, sync_folder, write_atomic
from builder.lock.model import LockedBase
from builder.render.base import base_key, base_tag
from builder.render.debs import package_list
from builder.settings import Settings
from builder.ui import Ui, human_bytes

# What mmdebstrap leaves behind that names this machine, or changes from run to run.
_CLEAN = (
    "rm -rf $1/etc/apt/sources.list $1/etc/apt/sources.list.d/* $1/etc/hostname $1/etc/resolv.conf $1/etc/machine-id"
    " $1/var/lib/apt/lists/* $1/var/cache/apt/* $1/var/cache/ldconfig/aux-cache $1/var/cache/debconf/*-old"
    " $1/var/lib/dpkg/*-old $1/var/log/apt $1/var/log/*.log $1/var/lib/dbus/machine-id"
)
_BY_DIGEST = r"[a-z0-9][A-Za-z0-9._:/-]*@sha256:[0-9a-f]{64}"
_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def ensure(base: LockedBase, settings: Settings, engine: Engine, ui: Ui) -> str:
    """Have the base in the engine under its tag; returns the tag. Does nothing where it is there.

    Raises SurroundingsError without mmdebstrap (bootstrap) or where the registry of a lock without blobs
    cannot be reached, JobError where a locked file is not fetched.
    """
    tag = base_tag(base)
    there = engine.image(tag)
    if _is_verified(there, base, settings):
        return tag
    if base.blobs:
        _load_blobs(base, settings, engine, ui)
        there = engine.image(tag)
        if there is None or not is_locked(there, base):
            problem = f"the engine does not have {base.reference} as it was loaded"
            raise JobError(problem, where=tag, why=f"it has {there.id if there else 'nothing'}", fix="build again")
        return tag
    if base.kind == "image":  # of a lock that has no blobs
        if not re.fullmatch(_BY_DIGEST, base.reference):
            fix = "run `make lock`, and find out who changed the lock"
            raise InputError("the lock names a base image without its digest", why=repr(base.reference[:200]), fix=fix)
        with ui.working(f"pulling {base.reference}"):
            engine.pull(base.reference)
        engine.tag(base.reference, tag)
        return tag
    with held(settings.assets / "bases" / f"{base_key(base)}.lock"):
        made = archive(base, settings, ui)
        with ui.working(f"loading {tag} into the engine"):
            engine.load(made)
    return tag


def is_locked(image: ImageFacts, base: LockedBase) -> bool:
    """Whether an image of the engine is the locked one: stores name it by its configuration, or by its manifest.

    Of a base without blobs no more is known than its tag, which the digest or everything it is made of is part of.
    """
    return not base.blobs or image.id.removeprefix("sha256:") in {blob.sha256 for blob in base.blobs[:2]}


def seen(base: LockedBase, settings: Settings, engine: Engine) -> ImageFacts:
    """The base that the engine has; the layers of what is built on it begin with its own.

    Raises JobError where its tag no longer stands for the base that `ensure` saw or put there.
    """
    there = engine.image(tag := base_tag(base))
    if there is None or not _is_verified(there, base, settings):
        why = f"it is {there.id if there else 'gone'}: another user or home of this engine changed it"
        raise JobError("the base image is no longer the verified one", where=tag, why=why, fix="run the build again")
    return there


def _is_verified(image: ImageFacts | None, base: LockedBase, settings: Settings) -> bool:
    """Whether it is the locked base, with the layers of the archive where one is kept here."""
    return image is not None and is_locked(image, base) and image.layers == (_made(base, settings) or image.layers)


def _made(base: LockedBase, settings: Settings) -> tuple[str, ...]:
    """The layers of a bootstrapped base by the archive that is kept of it here; none where there is no archive."""
    path = settings.assets / "bases" / f"{base_key(base)}.tar"
    if base.kind != "bootstrap" or not path.is_file():
        return ()
    with suppress(tarfile.TarError, ValueError, KeyError, OSError), tarfile.open(path) as tar:
        config = json.loads(_member(tar, "manifest.json"))[0]["Config"]
        return tuple(json.loads(_member(tar, config))["rootfs"]["diff_ids"])
    return ()


def _member(tar: tarfile.TarFile, name: str) -> bytes:
    stream = tar.extractfile(name)
    return stream.read(1 << 20) if stream else b""


def _load_blobs(base: LockedBase, settings: Settings, engine: Engine, ui: Ui) -> None:
    """Put an image into the engine from its fetched blobs; no registry is asked."""
    folder = settings.assets / "bases"
    for blob in base.blobs:
        path = settings.home / blob.folder / blob.filename
        if not path.exists():
            problem = f"{blob.project} {blob.filename[:12]} of {base.reference} is in the lock but not fetched"
            raise JobError(problem, where=str(path), fix="run `make fetch`")
    with held(folder / f"{base_key(base)}.lock"), scratch(folder / ".scratch", "image-") as aside:
        archive = aside / "image.tar"
        with ui.working(f"loading {base.reference} into the engine"):
            manifest, blobs = image_blobs(base, settings)
            write_archive(archive, base_tag(base), manifest, blobs)
            engine.load(archive)


def archived_layers(base: LockedBase, settings: Settings, ui: Ui) -> Iterator[tuple[IO[bytes], int]]:
    """The layers of a base as they are kept here, packed or not, the lowest first: each open, and its size."""
    if base.kind == "bootstrap":
        with tarfile.open(archive(base, settings, ui)) as tar:
            for name in json.loads(_member(tar, "manifest.json"))[0]["Layers"]:
                if stream := tar.extractfile(name):
                    yield stream, tar.getmember(name).size
        return
    manifest, blobs = image_blobs(base, settings)
    for row in json.loads(manifest)["layers"]:
        path = blobs[str(row["digest"]).removeprefix("sha256:")]
        if isinstance(path, Path):
            with path.open("rb") as stream:
                yield stream, path.stat().st_size


def configuration(base: LockedBase, there: ImageFacts, settings: Settings) -> dict[str, Any]:
    """The configuration of a base that the engine has. Raises JobError for a fetched one of other bytes."""
    if base.kind == "bootstrap":
        data = _config(base, there.layers[0])
    else:
        blob = base.blobs[1]
        path = settings.home / blob.folder / blob.filename
        data = path.read_bytes()
        if _sha256(data) != blob.sha256:
            problem = "the configuration of the base image has other bytes than the lock says"
            fix = "run `make fetch VERIFY=1` with the STACK=NAME that is built"
            raise JobError(problem, where=str(path), fix=fix)
    found: dict[str, Any] = json.loads(data)
    return found


def digest(base: LockedBase, engine: Engine) -> str:
    """The digest of the base image: the registry's, or that of a bootstrapped base's OCI configuration."""
    if base.kind == "image":
        return base.digest
    there = engine.image(base_tag(base))
    if there is None:
        raise JobError(f"{base_tag(base)} is not in the engine", fix="run the build again")
    return f"sha256:{_sha256(_config(base, there.layers[0]))}"


def archive(base: LockedBase, settings: Settings, ui: Ui) -> Path:
    """The base as an image archive that every image store loads, made once and kept by its key."""
    path = settings.assets / "bases" / f"{base_key(base)}.tar"
    if path.exists():
        return path
    what = f"bootstrapping {base.distribution} from {len(base.debs)} packages"
    with ui.working(what) as work, scratch(path.parent / ".scratch", "bootstrap-") as folder:
        root = bootstrap(base, settings, folder, ui)
        aside = folder / "image.tar"
        _write(base, root, aside)
        with aside.open("rb") as stream:
            os.fsync(stream.fileno())
        aside.replace(path)
        work.done = f"base image: {human_bytes(path.stat().st_size)}"
    sync_folder(path.parent)
    return path


def bootstrap(base: LockedBase, settings: Settings, folder: Path, ui: Ui) -> Path:
    """Make the root file system as folder/root.tar by mmdebstrap from the fetched .deb files, without a network."""
    if not shutil.which("mmdebstrap"):
        raise SurroundingsError("mmdebstrap is not installed", fix="run `make engine`, or apt-get install mmdebstrap")
    debs = folder / "debs"
    for deb in base.debs:
        source = settings.home / deb.folder / deb.filename
        if not source.exists():
            raise JobError(f"{deb.filename} is in the lock but not fetched", where=str(source), fix="run `make fetch`")
        same_file(source, debs / deb.filename)
        if not source.stat().st_mode & stat.S_IROTH:  # nobody inside the sandbox could read it
            shutil.copyfile(source, debs / "copy")
            (debs / "copy").replace(debs / deb.filename)
            (debs / deb.filename).chmod(0o644)
    write_atomic(debs / "Packages", package_list(debs, base.debs))
    debs.chmod(0o755)
    root = folder / "root.tar"
    command = ["mmdebstrap", "--mode=root", "--variant=minbase", "--format=tar", "--architectures=amd64"]
    command += [f"--include={','.join(deb.project for deb in base.debs)}"]
    command += [f"--customize-hook={_CLEAN}", "", "-", "deb [trusted=yes] copy:/debs ./"]
    # Nothing of the caller's: the packages' own scripts see it, and .pyc files came out different by it.
    environment = {"SOURCE_DATE_EPOCH": str(base.epoch), "PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0"}
    inside = folder / "inside"
    inside.mkdir()
    done = sandbox.run(command, inside, shown={debs: "/debs"}, environment=environment, out=root)
    if done.returncode != 0:
        for line in done.said[-15:]:
            ui.sub("mmdebstrap", line)
        why = next((line for line in reversed(done.said) if line.startswith("E:")), "")
        raise JobError("mmdebstrap could not make the base image", why=why, fix="see its words above")
    return root


def _write(base: LockedBase, root: Path, out: Path) -> None:
    """The one layer of a bootstrapped base, with the configuration and manifest made for it, as an image archive."""
    layer = sha256_of(root)
    config = _config(base, f"sha256:{layer}")
    oci = "application/vnd.oci.image"
    manifest = to_json(
        {
            "schemaVersion": 2,
            "mediaType": f"{oci}.manifest.v1+json",
            "config": {
                "mediaType": f"{oci}.config.v1+json",
                "digest": f"sha256:{_sha256(config)}",
                "size": len(config),
            },
            "layers": [
                {
                    "mediaType": f"{oci}.layer.v1.tar",
                    "digest": f"sha256:{layer}",
                    "size": root.stat().st_size,
                }
            ],
        }
    )
    write_archive(out, base_tag(base), manifest, {_sha256(config): config, layer: root})


def _config(base: LockedBase, diff_id: str) -> bytes:
    created = datetime.fromtimestamp(base.epoch, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    return to_json(
        {
            "architecture": "amd64",
            "os": "linux",
            "created": created,
            "config": {"Env": [_PATH], "Cmd": ["/bin/bash"]},
            "rootfs": {"type": "layers", "diff_ids": [diff_id]},
            "history": [{"created": created, "created_by": f"mmdebstrap {base.distribution}"}],
        }
    )


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
