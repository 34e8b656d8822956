"""The base that is put together from blobs is the one that its lock names, whatever lies on disk or in the engine."""

from __future__ import annotations

import hashlib
import io
import json
import os
import secrets
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from builder.build import base as bases
from builder.engine.client import Engine
from builder.errors import InputError, JobError
from builder.lock.model import Artifact, LockedBase
from builder.origin import Origin
from builder.render import base_tag
from builder.settings import Settings
from builder.ui import Ui


def layer(text: str) -> bytes:
    """A layer of one file, the same bytes for the same text."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        entry = tarfile.TarInfo("said")
        entry.size = len(text)
        tar.addfile(entry, io.BytesIO(text.encode()))
    return out.getvalue()


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class Image:
    """An image of one layer, its blobs on the disk of a site. digest: that of the list it is in, or its own."""

    def __init__(self, settings: Settings, text: str, digest: str = "") -> None:
        data = layer(text)
        rootfs = {"type": "layers", "diff_ids": [f"sha256:{sha256(data)}"]}
        config = json.dumps({"architecture": "amd64", "os": "linux", "config": {}, "rootfs": rootfs}).encode()
        kinds = "application/vnd.oci.image"
        rows = [
            {"mediaType": f"{kinds}.{kind}", "digest": f"sha256:{sha256(blob)}", "size": len(blob)}
            for kind, blob in (("config.v1+json", config), ("layer.v1.tar", data))
        ]
        manifest = json.dumps(
            {"schemaVersion": 2, "mediaType": f"{kinds}.manifest.v1+json", "config": rows[0], "layers": rows[1:]}
        ).encode()
        self.folder = settings.assets / "bases" / "blobs"
        self.folder.mkdir(parents=True, exist_ok=True)
        parts = (("manifest", manifest), ("config", config), ("layer", data))
        for _, blob in parts:
            (self.folder / sha256(blob)).write_bytes(blob)
        blobs = tuple(
            Artifact(
                kind="blob", filename=sha256(blob), size=len(blob), sha256=sha256(blob), project=what, version="0",
                origin=Origin("registry", "registry.example/team/image"),
            )
            for what, blob in parts
        )  # fmt: skip
        digest = digest or f"sha256:{sha256(manifest)}"
        self.base = LockedBase(
            kind="image", reference=f"registry.example/team/image@{digest}", digest=digest, blobs=blobs
        )


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path, stacks=(tmp_path / "stacks",))


@pytest.fixture
def made(settings: Settings, engine: Engine) -> Iterator[list[Image]]:
    """Two images, both said to be in the list of one digest; what the engine has of them is removed."""
    digest = f"sha256:{secrets.token_hex(32)}"
    found = [Image(settings, f"{one} {digest}", digest) for one in ("honest", "evil")]
    yield found
    for one in found:
        engine.remove(base_tag(one.base))


def said(engine: Engine, tag: str) -> str:
    """The file of an image, as a tar: its text is in it."""
    container = engine.run(["create", "--network=none", "--", tag, "/none"]).stdout.strip()
    try:
        return engine.run(["cp", "--", f"{container}:/said", "-"]).stdout
    finally:
        engine.run(["rm", "--", container])


def test_the_blobs_of_one_lock_are_never_the_base_of_another(
    made: list[Image], settings: Settings, engine: Engine
) -> None:
    """Both locks name one digest, that of a list by platform, which nothing on this machine can hold a blob to."""
    honest, evil = made
    first = bases.ensure(evil.base, settings, engine, Ui())
    second = bases.ensure(honest.base, settings, engine, Ui())
    assert first != second
    assert "honest" in said(engine, second)
    assert bases.ensure(honest.base, settings, engine, Ui()) == second


def test_an_image_known_by_its_own_manifest_keeps_its_name(settings: Settings) -> None:
    """Keys of compiled wheels hold the base's: they stay for images whose digest is their manifest's."""
    one = Image(settings, "one").base
    assert base_tag(one) == base_tag(replace(one, blobs=()))


def test_another_image_under_the_bases_name_is_not_taken(made: list[Image], settings: Settings, engine: Engine) -> None:
    honest, evil = made
    engine.tag(bases.ensure(evil.base, settings, engine, Ui()), base_tag(honest.base))
    assert "honest" in said(engine, bases.ensure(honest.base, settings, engine, Ui()))


@pytest.mark.parametrize("part", [0, 1, 2], ids=["manifest", "config", "layer"])
def test_a_blob_with_one_rotten_byte_is_refused(
    part: int, made: list[Image], settings: Settings, engine: Engine
) -> None:
    honest = made[0]
    path = honest.folder / honest.base.blobs[part].filename
    good, times = path.read_bytes(), path.stat()
    place = good.index(b"honest") if part == 2 else good.index(b"digest" if part == 0 else b"linux") + 2
    path.write_bytes(good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :])
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    with pytest.raises(JobError, match="of the image has other bytes than the lock says") as caught:
        bases.ensure(honest.base, settings, engine, Ui())
    assert caught.value.where == str(path)
    assert engine.image(base_tag(honest.base)) is None
    path.write_bytes(good)
    assert "honest" in said(engine, bases.ensure(honest.base, settings, engine, Ui()))


def test_a_manifest_that_names_other_blobs_than_the_lock_is_refused(
    made: list[Image], settings: Settings, engine: Engine
) -> None:
    honest, evil = made
    mixed = replace(honest.base, blobs=(*honest.base.blobs[:2], evil.base.blobs[2]))
    with pytest.raises(JobError, match="names other blobs than the lock"):
        bases.ensure(mixed, settings, engine, Ui())


@pytest.mark.parametrize("reference", ["--all-tags", "ubuntu:22.04", "ubuntu", "-q@sha256:0", ""])
def test_an_image_without_its_digest_is_never_pulled(reference: str, settings: Settings, engine: Engine) -> None:
    base = LockedBase(kind="image", reference=reference, digest=f"sha256:{secrets.token_hex(32)}")
    with pytest.raises(InputError, match="names a base image without its digest"):
        bases.ensure(base, settings, engine, Ui())
