"""Which BuildKit builds: the engine's own, or another that buildx knows by name, and what it has to be told.

A BuildKit of one's own (buildx's drivers docker-container, remote and kubernetes) knows no image of the engine. The
base goes to it as an OCI layout by digest, and the image comes back as an archive that the engine loads.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from builder.build.archive import image_blobs, to_json, write_archive
from builder.build.base import archive
from builder.engine.client import Engine
from builder.errors import InputError, SurroundingsError
from builder.files import scratch
from builder.lock.model import LockedBase, StackLock
from builder.render.base import base_tag
from builder.render.ready import layers_tag
from builder.settings import Settings
from builder.ui import Ui


@dataclass(frozen=True)
class Builder:
    """A BuildKit. name: as buildx has it. contexts: that it needs beside. out: where it puts an image, None for the
    engine's own, which has it then.

    cache: HOST/NAME of a registry's repository where steps are looked for, "" for none; writes: and left for others.
    """

    name: str
    contexts: Mapping[str, str] = field(default_factory=dict)
    out: Path | None = None
    cache: str = ""
    writes: bool = False

    def words(self) -> list[str]:
        """What `docker buildx build` is given."""
        found = ["--builder", self.name]
        for name, place in sorted(self.contexts.items()):
            found += ["--build-context", f"{name}={place}"]
        return found

    def cached(self, stack: str) -> list[str]:
        """The same for the steps of a stack's image."""
        if not self.cache:
            return []
        where = f"type=registry,ref={self.cache}:{stack}"
        to = f"{where},mode=max,image-manifest=true,oci-mediatypes=true,compression=zstd,ignore-error=true"
        return ["--cache-from", where, *(["--cache-to", to] if self.writes else [])]


@contextmanager
def chosen(
    base: LockedBase, settings: Settings, engine: Engine, ui: Ui, lock: StackLock | None = None
) -> Iterator[Builder]:
    """The BuildKit of the settings, for the length of a with block. base: of what is built; the engine has it.

    lock: of a stack's image, which begins from the layers of its large wheels where it has any.

    Raises SurroundingsError where buildx has none of that name, InputError for one that is another engine's own.
    """
    name = settings.builder or engine.info.context
    own = name != engine.info.context
    writes = bool(settings.build_cache) and (own or engine.info.store == "containerd")
    if settings.build_cache and not writes:
        ui.say(f"the engine's own BuildKit with the {engine.info.store} store reads a build cache, and writes none")
    if not own:
        yield Builder(name, cache=settings.build_cache, writes=writes)
        return
    _require_own(name, engine)
    with scratch(settings.assets / "bases" / ".scratch", "image-") as folder:
        contexts = {base_tag(base): layout(base, settings, folder / "base", ui)}
        if lock and (tag := layers_tag(lock)):
            from builder.build import layer_archive  # noqa: PLC0415 - a BuildKit of one's own alone

            layout(base, settings, folder / "layers", ui)
            contexts[tag] = layer_archive.layout(lock, settings, folder / "layers")
        yield Builder(name, contexts, folder / "image.tar", settings.build_cache, writes)


def _require_own(name: str, engine: Engine) -> None:
    asked = engine.run(["buildx", "inspect", name], check=False)
    driver = re.search(r"^Driver:\s+(\S+)", asked.stdout, re.MULTILINE)
    if asked.returncode or driver is None:
        why = asked.stderr.strip().splitlines()[-1:]
        fix = (
            f"docker buildx create --name {name} --driver docker-container (or remote, kubernetes), or unset `builder`"
        )
        raise SurroundingsError(f"buildx has no usable builder {name}", why="".join(why), fix=fix)
    if driver[1] == "docker":
        fix = f"leave `builder` out and use that engine: engine = {name!r}"
        raise InputError(f"the builder {name} is the own one of another engine", fix=fix)


def layout(base: LockedBase, settings: Settings, out: Path, ui: Ui) -> str:
    """Write the base as an OCI layout to a folder; gives oci-layout://FOLDER@DIGEST, by which BuildKit takes it.

    Raises InputError for a base that is known by its digest alone, JobError for a blob of other bytes.
    """
    if base.kind == "image" and not base.blobs:
        fix = "make lock UPGRADE=1, which locks the parts of its image"
        raise InputError("the lock names its base by digest alone, and a BuildKit of one's own cannot have it", fix=fix)
    out.mkdir()
    if base.blobs:
        packed = out / "image.tar"
        manifest, blobs = image_blobs(base, settings)
        write_archive(packed, base_tag(base), manifest, blobs)
    else:
        packed = archive(base, settings, ui)
    with tarfile.open(packed) as tar:
        for member in tar:
            if stream := tar.extractfile(member):
                place = out / member.name
                place.parent.mkdir(parents=True, exist_ok=True)
                with place.open("wb") as target:
                    shutil.copyfileobj(stream, target, 1 << 20)
    return f"oci-layout://{out}@{_undated(out)}"


def _undated(out: Path) -> str:
    """Take the date out of the configuration in a layout; gives the digest of the manifest.

    BuildKit gives an image the `created` of a base that it has as a named context, and of another the date of its own
    last step, as SOURCE_DATE_EPOCH has it (0.13). Without one in the base the two are the same image.
    """
    blobs = out / "blobs" / "sha256"

    def read(digest: str) -> Any:  # noqa: ANN401
        return json.loads((blobs / digest.removeprefix("sha256:")).read_bytes())

    def put(value: Any) -> dict[str, Any]:  # noqa: ANN401
        data = to_json(value)
        digest = hashlib.sha256(data).hexdigest()
        (blobs / digest).write_bytes(data)
        return {"digest": f"sha256:{digest}", "size": len(data)}

    index = json.loads((out / "index.json").read_bytes())
    manifest = read(index["manifests"][0]["digest"])
    config = read(manifest["config"]["digest"])
    config.pop("created", None)
    manifest["config"] |= put(config)
    index["manifests"] = [{"mediaType": index["manifests"][0]["mediaType"], **put(manifest)}]
    (out / "index.json").write_bytes(to_json(index))
    return str(index["manifests"][0]["digest"])
