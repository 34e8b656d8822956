"""The image itself, byte by byte, and what its statements say of it."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import zstandard

from builder.errors import InputError, JobError
from builder.files import sha256_text
from builder.lock import StackLock, store
from builder.publish import proof
from builder.publish.packed import unpacked
from builder.publish.statements import CYCLONEDX, EVIDENCE, LOCK, NAMES, PROVENANCE, SPDX
from builder.registry import Descriptor, Repository
from builder.registry.repository import Found
from builder.verify.model import Verified

_CONFIG = 4 << 20
_REVISION = "org.opencontainers.image.revision"


def image(repository: Repository, manifest: Found, found: Verified) -> dict[str, Any]:
    """Read configuration and layers; gives the configuration, {} where it does not hold."""
    try:
        config = Descriptor.parse(manifest.document["config"])
        layers = [Descriptor.parse(row) for row in manifest.document["layers"]]
    except (ValueError, KeyError, TypeError):
        found.fault("manifest", found.digest, "it is no manifest of an image")
        return {}
    told: dict[str, Any] = {}
    with found.naming("config", config.digest):
        try:
            told = json.loads(repository.content(config, _CONFIG))
            diff_ids = [str(one) for one in told["rootfs"]["diff_ids"]]
        except (ValueError, KeyError, TypeError):
            found.fault("config", config.digest, "it is no configuration of an image")
            told, diff_ids = {}, []
        if told and len(diff_ids) != len(layers):
            found.fault("config", config.digest, f"it names {len(diff_ids)} layers, the manifest {len(layers)}")
        for number, layer in enumerate(layers):
            wanted = diff_ids[number] if number < len(diff_ids) else ""
            _layer(repository, layer, wanted, f"layer {number}", found)
        if told:
            found.held.append(f"configuration and {len(layers)} layers are those of the manifest")
    return told


def _layer(repository: Repository, layer: Descriptor, wanted: str, what: str, found: Verified) -> None:
    """Hash a layer as it is packed and as it is unpacked."""
    with found.naming(what, layer.digest):
        digest = hashlib.sha256()
        stream = _Stream(repository.read(layer))
        try:
            for piece in unpacked(stream):
                digest.update(piece)
            while stream.read(1 << 20):
                pass
        except (zstandard.ZstdError, OSError, EOFError) as error:
            for _ in stream.rest():  # a damaged layer is first of all one of another digest
                pass
            raise JobError("it cannot be unpacked", why=str(error)[:200]) from None
        if wanted and f"sha256:{digest.hexdigest()}" != wanted:
            found.fault(what, layer.digest, "its files are not those that the configuration names")


class _Stream:
    """Pieces of bytes as what is read from."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces, self._left = pieces, b""

    def read(self, size: int = -1) -> bytes:
        while not self._left:
            piece = next(self._pieces, None)
            if piece is None:
                return b""
            self._left = piece
        cut = len(self._left) if size < 0 else size
        data, self._left = self._left[:cut], self._left[cut:]
        return data

    def rest(self) -> Iterator[bytes]:
        """What was not read yet."""
        yield from self._pieces


def lock(said: Mapping[str, Any], config: Mapping[str, Any], found: Verified) -> StackLock | None:
    """The lock that is signed, held to the image; None where there is none that holds."""
    texts = said.get(LOCK)
    named = ((config.get("config") or {}).get("Labels") or {}).get(_REVISION)
    found.lock = str(named or "")
    if not isinstance(texts, dict):
        return None
    text = str(texts.get(store.STACK_LOCK, ""))
    found.lock = sha256_text(text)
    if named and found.lock != named:
        found.fault("lock", store.STACK_LOCK, f"the image was made from the lock of sha256 {str(named)[:80]}")
        return None
    try:
        with tempfile.TemporaryDirectory(prefix="modelstacks-verify-") as name:
            read = _read(texts, text, Path(name))
    except InputError as error:
        found.fault("lock", store.STACK_LOCK, error.problem)
        return None
    found.stack = read.stack
    found.held.append("the image was made from the signed lock")
    return read


def _read(texts: Mapping[str, Any], text: str, folder: Path) -> StackLock:
    """The lock of these texts, read as any lock is: by a folder of the stack's name."""
    import tomli  # noqa: PLC0415 - of this alone

    try:
        stack = str(tomli.loads(text)["stack"])
    except (tomli.TOMLDecodeError, KeyError):
        raise InputError("it names no stack") from None
    if not stack.replace("-", "").isalnum():
        raise InputError("it names no stack")
    place = folder / stack
    place.mkdir()
    (place / store.STACK_LOCK).write_text(text)
    (place / store.PYLOCK).write_text(str(texts.get(store.PYLOCK, "")))
    return store.read(place)


def listed(said: Mapping[str, Any], signed: StackLock, found: Verified) -> None:
    """SBOMs and provenance name the files of the lock, and no others."""
    carried = [one for one in signed.carried() if not (one.kind == "blob" and one.project != "layer")]
    wanted = {one.sha256: one.filename for one in carried}
    readers = ((CYCLONEDX, _cyclonedx), (SPDX, _spdx), (PROVENANCE, _dependencies))
    for kind, read in readers:
        if kind not in said:
            continue
        try:
            there = dict(read(said[kind]))
        except (KeyError, TypeError, IndexError, AttributeError, ValueError):
            found.fault(NAMES[kind], found.digest, "it cannot be read")
            continue
        for sha256 in sorted(wanted.keys() - there.keys(), key=wanted.__getitem__):
            found.fault(NAMES[kind], wanted[sha256], "the lock names it, this does not")
        for sha256 in sorted(there.keys() - wanted.keys(), key=there.__getitem__):
            found.fault(NAMES[kind], there[sha256], "it is not in the lock")
    told = (said.get(PROVENANCE) or {}).get("buildDefinition", {}).get("externalParameters", {})
    if PROVENANCE in said and told != {"stack": signed.stack, "lock": {"sha256": found.lock}}:
        found.fault("provenance", found.digest, "it is of another lock")
    found.held.append(f"the statements name the {len(wanted)} files of the lock")


def _cyclonedx(bom: Any) -> Iterator[tuple[str, str]]:  # noqa: ANN401
    for row in bom["components"]:
        yield row["hashes"][0]["content"], str(row["name"])


def _spdx(document: Any) -> Iterator[tuple[str, str]]:  # noqa: ANN401
    for row in document["packages"]:
        if row["SPDXID"] != "SPDXRef-Stack":
            yield row["checksums"][0]["checksumValue"], str(row["name"])


def _dependencies(predicate: Any) -> Iterator[tuple[str, str]]:  # noqa: ANN401
    for row in predicate["buildDefinition"]["resolvedDependencies"]:
        yield row["digest"]["sha256"], str(row["name"])


def evidence(said: Mapping[str, Any], config: Mapping[str, Any], manifest: Found, found: Verified, gpu: bool) -> None:
    """The smoke evidence is green, of this lock, and of an image of these layers. gpu: a test of it ran on one."""
    if EVIDENCE not in said:
        return
    predicate = said[EVIDENCE] if isinstance(said[EVIDENCE], dict) else {}
    told = predicate.get("evidence")
    document: dict[str, Any] = told if isinstance(told, dict) else {}
    why = proof.fault(document, found.lock)
    if not why and config and predicate.get("layers") != config["rootfs"]["diff_ids"]:
        why = "it is of an image of other layers"
    if not why:
        engine, named = document.get("engine") or {}, (document.get("image_id"), predicate.get("image"))
        # In overlay2 an image's id is the digest of its configuration; in containerd's store that of a manifest there.
        own = manifest.document["config"]["digest"] if engine.get("store") == "overlay2" else named[0]
        why = "" if named == (own, own) else f"it is of another image, {str(named[0])[:80]}"
    if not why and gpu and not proof.on_gpu(document):
        why = "no test ran on a GPU"
    if why:
        found.fault("evidence", found.digest, why)
    else:
        passed = sum(row.get("outcome") == "passed" for row in document["results"])
        found.held.append(f"smoke evidence of {document.get('date')}: {passed} tests passed")
