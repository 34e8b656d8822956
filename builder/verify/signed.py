"""What is signed of an image: its signature with its tags, and the statements about it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from builder.publish import cosign
from builder.publish.statements import CYCLONEDX, EVIDENCE, LOCK, NAMES, PROVENANCE, SPDX
from builder.registry import Descriptor, Repository
from builder.registry.descriptor import DIGEST
from builder.verify.model import Verified

_LARGEST = 64 << 20  # bytes of a statement; those of the longest lock have 2 MB
_BARE = {"application/vnd.cyclonedx+json": CYCLONEDX, "application/spdx+json": SPDX}
_NEEDED = (CYCLONEDX, SPDX, PROVENANCE, LOCK)


def statements(
    repository: Repository, key: ec.EllipticCurvePublicKey, name: Path, found: Verified, reference: str, *, smoke: bool
) -> dict[str, Any]:
    """Each statement by its kind, as far as it holds. name: of the key's file. smoke: whether evidence is needed.

    Where nothing at all is signed with the key, that is the one fault.
    """
    aside = Verified(found.image, found.digest)
    tags = _signature(repository, key, aside)
    said = dict(_attested(repository, key, aside))
    unsigned = [fault for fault in aside.faults if "did not sign" in fault.why]
    if unsigned and tags is None and not said:
        found.fault("key", str(name), "the owner of this key signed neither the image nor a statement about it")
        return {}
    found.faults += aside.faults
    if tags is not None:
        found.tags = tuple(sorted(tags))
        found.held.append(f"signed with {name.name}")
        if not DIGEST.fullmatch(reference) and reference not in tags:
            why = f"it names an image that is signed for {', '.join(sorted(tags)) or 'no tag'}: it was moved"
            found.fault("tag", reference, why)
    faulty = {fault.what for fault in found.faults}
    for kind in (*_NEEDED, *([EVIDENCE] if smoke else [])):
        if kind not in said and NAMES[kind] not in faulty:
            found.fault(NAMES[kind], found.digest, "there is no such statement about the image")
    _bare(repository, said, found)
    return said


def _signature(repository: Repository, key: ec.EllipticCurvePublicKey, found: Verified) -> set[str] | None:
    """The tags that are signed, None where no signature holds."""
    tags: set[str] | None = None
    rows = _rows(repository, cosign.tag(found.digest, "sig"), found, "signature")
    if not rows and not found.faults:
        found.fault("signature", found.digest, "the image is not signed")
    for row in rows:
        with found.naming("signature", row.digest):
            data = repository.content(row, _LARGEST)
            try:
                named = cosign.signed_tags(data, row, key, found.digest, repository.address)
            except cosign.Refused as error:
                found.fault("signature", row.digest, str(error))
            else:
                tags = (tags or set()) | named
    return tags


def _attested(repository: Repository, key: ec.EllipticCurvePublicKey, found: Verified) -> Iterator[tuple[str, Any]]:
    for row in _rows(repository, cosign.tag(found.digest, "att"), found, "statements"):
        what = NAMES.get(row.annotations.get("predicateType", ""), "statement")
        with found.naming(what, row.digest):
            data = repository.content(row, _LARGEST)
            try:
                yield cosign.opened(data, key, found.digest)
            except cosign.Refused as error:
                found.fault(what, row.digest, str(error))


def _rows(repository: Repository, tag: str, found: Verified, what: str) -> list[Descriptor]:
    with found.naming(what, tag):
        there = repository.manifest(tag)
        try:
            return [Descriptor.parse(row) for row in there.document["layers"]] if there else []
        except (ValueError, KeyError, TypeError):
            found.fault(what, tag, "its manifest cannot be read")
    return []


def _bare(repository: Repository, said: dict[str, Any], found: Verified) -> None:
    """The SBOMs that stand beside the signed ones have to say the same."""
    listed: set[str] = set()
    with found.naming("referrers", found.digest):
        for row in repository.referrers(found.digest):
            kind = _BARE.get(row.artifact_type)
            if kind and kind in said:
                listed.add(kind)
                with found.naming(NAMES[kind], row.digest):
                    _same(repository, row, said[kind], found, NAMES[kind])
        for kind in set(_BARE.values()) & said.keys() - listed:
            found.fault("referrers", found.digest, f"the {NAMES[kind]} is not among them")


def _same(repository: Repository, row: Descriptor, signed: Any, found: Verified, what: str) -> None:  # noqa: ANN401
    there = repository.manifest(row.digest)
    try:
        (blob,) = [Descriptor.parse(one) for one in there.document["layers"]] if there else []
        same = json.loads(repository.content(blob, _LARGEST)) == signed
    except (ValueError, KeyError, TypeError):
        same = False
    if not same:
        found.fault(what, row.digest, "what is listed beside the image is not what was signed")
