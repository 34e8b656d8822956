"""The verb publish: an image into a registry, with all that is said of it, its tags last."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from builder.build.image import BUILD_LABEL, is_current
from builder.engine.client import Engine, ImageFacts
from builder.errors import JobError
from builder.lock import store
from builder.lock.model import StackLock
from builder.publish import cosign, proof, statements
from builder.publish.packed import Compression, Packed, manifest, pack
from builder.publish.statements import to_json
from builder.registry import Connection, Descriptor, Repository, digest_of
from builder.registry.descriptor import EMPTY, MANIFEST, TAG
from builder.registry.upload import push
from builder.sbom import Sbom, make
from builder.settings import Settings
from builder.spec.model import Stack
from builder.ui import Ui, human_bytes

_CREATED = "org.opencontainers.image.created"
_FORMS = {"application/vnd.cyclonedx+json": "cyclonedx", "application/spdx+json": "spdx"}


@dataclass(frozen=True)
class Published:
    """What is in the registry now. sent: bytes of blobs that went over the wire; there, mounted: blobs that did not."""

    stack: str
    image: str
    digest: str
    tags: tuple[str, ...]
    referrers: int
    blobs: int
    there: int
    mounted: int
    sent: int
    smoke: str
    seconds: float

    def document(self) -> dict[str, Any]:
        """For --json."""
        return asdict(self)

    def say(self, ui: Ui) -> None:
        """What became of it."""
        blobs = f"{self.blobs} blobs: {self.there} there, {self.mounted} mounted, {human_bytes(self.sent)} sent"
        rows = [["image", self.image], ["tags", ", ".join(self.tags)], ["blobs", blobs]]
        rows += [["statements", str(self.referrers)], ["smoke", self.smoke], ["seconds", f"{self.seconds:.1f}"]]
        ui.table(f"{self.stack}: published", ["", ""], rows)


@dataclass(frozen=True)
class _Work:
    """What is to be published. tags: those of the image."""

    repository: Repository
    key: ec.EllipticCurvePrivateKey
    neighbours: tuple[str, ...]
    counts: dict[str, int]
    ui: Ui

    def blob(self, blob: Descriptor, data: Path | bytes) -> None:
        """Have a blob in the repository; what was sent is read back."""
        done = push(self.repository, blob, data, self.neighbours)
        self.counts[done.outcome] += 1
        self.counts["bytes"] += done.sent
        if done.outcome == "sent":
            for _ in self.repository.read(blob):
                pass

    def manifest(self, data: bytes, tag: str = "") -> bool:
        """Have a manifest there under its digest, or a tag; gives whether the registry lists referrers."""
        return self.repository.put_manifest(tag or digest_of(data), data, MANIFEST)


def publish(
    stack: Stack,
    lock: StackLock,
    address: tuple[str, str],
    key: ec.EllipticCurvePrivateKey,
    settings: Settings,
    engine: Engine,
    ui: Ui,
    *,
    tags: tuple[str, ...] = (),
    compression: Compression = "zstd",
    required: proof.Required = "cpu",
    files: tuple[Path, ...] = (),
    neighbours: tuple[str, ...] = (),
) -> Published:
    """Publish a stack's image as HOST/NAME/STACK. address: host and name. files: more evidence to look in.

    Every digest is read back, and the tags are set last: none ever names an image that is not whole, signed and
    proved. Raises InputError (a broken rule, a wrong tag), JobError (no image, no evidence, a registry that refuses or
    lies), SurroundingsError (no registry, no login).
    """
    started = time.monotonic()
    proof.require_allowed(stack, lock, ui)
    image = engine.image(settings.image(stack.name))
    if image is None or not is_current(stack, lock, settings, engine):
        raise JobError(f"the engine has no image of {stack.name} by this lock", fix=f"make stack STACK={stack.name}")
    own = settings.build / stack.name / "smoke" / "evidence.json"
    proved = proof.evidence(stack, lock, image, (own, *files), required)
    wanted = _tags(lock, image, tags)
    sbom, texts = make(stack, lock, settings), store.texts(stack.folder, lock)
    packed = pack(engine, image, settings.build / stack.name / "oci", ui, compression=compression)
    host, name = address[0], "/".join(filter(None, (address[1], stack.name)))
    with Connection(host, settings, ui.warn) as connection:
        counts = {"there": 0, "mounted": 0, "sent": 0, "bytes": 0}
        work = _Work(Repository(connection, name, writes=True), key, neighbours, counts, ui)
        ui.step(f"publishing {work.repository.address}")
        data = manifest(packed)
        _image(work, packed, data)
        said = statements.predicates(sbom, lock, texts, image.labels.get(BUILD_LABEL, ""))
        if proved is not None:
            said[statements.EVIDENCE] = {"image": image.id, "layers": list(image.layers), "evidence": proved}
        referrers = _statements(work, said, sbom, data, packed)
        _sign(work, digest_of(data), wanted)
        for tag in wanted:
            work.manifest(data, tag)
    return Published(
        stack=stack.name,
        image=f"{work.repository.address}@{digest_of(data)}",
        digest=digest_of(data),
        tags=wanted,
        referrers=referrers,
        blobs=counts["there"] + counts["mounted"] + counts["sent"],
        there=counts["there"],
        mounted=counts["mounted"],
        sent=counts["bytes"],
        smoke="none" if proved is None else proved["date"],
        seconds=round(time.monotonic() - started, 3),
    )


def _tags(lock: StackLock, image: ImageFacts, more: Iterable[str]) -> tuple[str, ...]:
    """The lock's digest, the image's version, and what is asked for. Raises InputError for a tag that is none."""
    version = image.labels.get("org.opencontainers.image.version", "")
    found = tuple(dict.fromkeys(filter(None, (lock.digest[:12], version, *more))))
    if wrong := [one for one in found if not TAG.fullmatch(one) or one.startswith("sha256-")]:
        raise JobError(f"{wrong[0]!r} is no tag", fix="letters, digits, `.`, `_` and `-`, at most 128")
    return found


def _image(work: _Work, packed: Packed, data: bytes) -> None:
    for layer in packed.layers:
        work.blob(layer.blob, packed.path(layer))
        work.ui.sub("publish", f"layer {layer.blob.digest[7:19]}: {human_bytes(layer.blob.size)}")
    work.blob(packed.config_blob, packed.config)
    work.manifest(data)


def _statements(work: _Work, said: dict[str, Any], sbom: Sbom, data: bytes, packed: Packed) -> int:
    """Every statement, signed, as a referrer of the image and among cosign's attestations; and both SBOMs bare."""
    digest, name = digest_of(data), work.repository.address
    rows = []
    referrers = [(kind, Descriptor.of(kind, body), body, "") for kind, body in _bare(sbom)]
    for kind, predicate in said.items():
        body = statements.envelope(statements.statement(kind, predicate, name, digest), work.key)
        rows.append(cosign.attestation_layer(body, kind))
        referrers.append((statements.PAYLOAD, Descriptor.of(statements.ENVELOPE, body), body, kind))
    subject = Descriptor.of(MANIFEST, data)
    dated = {_CREATED: str(json.loads(packed.config)["created"])}
    for artifact, blob, body, kind in referrers:
        notes = dated | ({"in-toto.io/predicate-type": kind} if kind else {})
        _refer(work, subject, artifact, blob, body, notes)
    document, config = cosign.collected(rows)
    work.blob(Descriptor.of("", config), config)
    work.manifest(document, cosign.tag(digest, "att"))
    return len(referrers)


def _bare(sbom: Sbom) -> list[tuple[str, bytes]]:
    return [(kind, getattr(sbom, form).encode()) for kind, form in _FORMS.items()]


def _refer(
    work: _Work, subject: Descriptor, artifact: str, blob: Descriptor, body: bytes, notes: dict[str, str]
) -> None:
    """A manifest of one blob that refers to the image, listed by the registry or under the fall-back tag."""
    empty = Descriptor.of(EMPTY, b"{}")
    work.blob(empty, b"{}")
    work.blob(blob, body)
    document = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "artifactType": artifact,
        "config": empty.document(),
        "layers": [blob.document()],
        "subject": subject.document(),
        "annotations": notes,
    }
    data = to_json(document)
    if not work.manifest(data):
        row = replace(Descriptor.of(MANIFEST, data, notes), artifact_type=artifact)
        work.repository.list_referrer(subject.digest, row)


def _sign(work: _Work, digest: str, tags: tuple[str, ...]) -> None:
    """Sign the image with these tags and with those that it was signed with before, by the same key."""
    tag, address = cosign.tag(digest, "sig"), work.repository.address
    named = set(tags)
    if found := work.repository.manifest(tag):
        for row in found.document.get("layers", []):
            before = Descriptor.parse(row)
            try:
                data = work.repository.content(before, 1 << 20)
                named |= cosign.signed_tags(data, before, work.key.public_key(), digest, address)
            except cosign.Refused:
                continue
    body = cosign.payload(address, digest, named)
    document, config = cosign.collected([cosign.signature_layer(body, work.key)])
    work.blob(Descriptor.of("", body), body)
    work.blob(Descriptor.of("", config), config)
    work.manifest(document, tag)
