"""Signatures and attestations where `cosign` keeps them: beside the image, under tags made of its digest.

Sources: cosign's SIGNATURE_SPEC.md and ATTESTATION_SPEC.md. No IO here.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec

from builder.keys import require, signed
from builder.publish.statements import ENVELOPE, PAYLOAD, STATEMENT, padded, to_json
from builder.registry.descriptor import CONFIG, MANIFEST, Descriptor

SIMPLE = "application/vnd.dev.cosign.simplesigning.v1+json"
SIGNATURE = "dev.cosignproject.cosign/signature"
_TYPE = "cosign container image signature"


class Refused(Exception):
    """A signature, or what is signed, does not hold. The words say why."""


def tag(digest: str, ending: str) -> str:
    """The tag of an image's signatures (`sig`) or attestations (`att`)."""
    return f"{digest.replace(':', '-')}.{ending}"


def payload(address: str, digest: str, tags: Iterable[str]) -> bytes:
    """What is signed of an image. tags: those that it may be found under."""
    identity = {"docker-reference": address}
    critical = {"identity": identity, "image": {"docker-manifest-digest": digest}, "type": _TYPE}
    return to_json({"critical": critical, "optional": {"tags": ",".join(sorted(tags))}})


def signature_layer(data: bytes, key: ec.EllipticCurvePrivateKey) -> Descriptor:
    """The row of a signed payload."""
    return Descriptor.of(SIMPLE, data, {SIGNATURE: base64.b64encode(signed(key, data)).decode()})


def attestation_layer(data: bytes, kind: str) -> Descriptor:
    """The row of an envelope."""
    return Descriptor.of(ENVELOPE, data, {SIGNATURE: "", "predicateType": kind})


def collected(layers: Iterable[Descriptor]) -> tuple[bytes, bytes]:
    """The manifest of these rows, and the configuration that it names."""
    rows = list(layers)
    config = to_json(
        {
            "architecture": "",
            "config": {},
            "created": "0001-01-01T00:00:00Z",
            "history": [{"created": "0001-01-01T00:00:00Z"} for _ in rows],
            "os": "",
            "rootfs": {"type": "layers", "diff_ids": [row.digest for row in rows]},
        }
    )
    document = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": Descriptor.of(CONFIG, config).document(),
        "layers": [row.document() for row in rows],
    }
    return to_json(document), config


def signed_tags(data: bytes, row: Descriptor, key: ec.EllipticCurvePublicKey, digest: str, address: str) -> set[str]:
    """The tags that a signed payload names. Raises Refused where it is not signed with the key, or of another image."""
    _signed(key, row.annotations.get(SIGNATURE, ""), data)
    try:
        said = json.loads(data)
        critical = said["critical"]
        named, kind = critical["image"]["docker-manifest-digest"], critical["type"]
        where = critical["identity"]["docker-reference"]
        tags = str((said.get("optional") or {}).get("tags") or "")
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Refused("what is signed is no signature of an image") from None
    if named != digest or kind != _TYPE:
        raise Refused(f"it is of another image, {str(named)[:80]}")
    if where.partition("/")[2] != address.partition("/")[2]:
        raise Refused(f"it is of an image of another name, {str(where)[:200]}")
    return set(filter(None, tags.split(",")))


def opened(data: bytes, key: ec.EllipticCurvePublicKey, digest: str) -> tuple[str, Any]:
    """Kind and content of the statement in an envelope. Raises Refused where it is not signed, or of another image."""
    try:
        told = json.loads(data)
        body = base64.b64decode(told["payload"], validate=True)
        signatures = [str(one["sig"]) for one in told["signatures"]]
        kind = told["payloadType"]
    except (ValueError, KeyError, TypeError):
        raise Refused("it is no envelope of a statement") from None
    if kind != PAYLOAD or len(signatures) != 1:
        raise Refused("it is no envelope of one in-toto statement with one signature")
    _signed(key, signatures[0], padded(body))
    try:
        said = json.loads(body)
        subjects = {one["digest"]["sha256"] for one in said["subject"]}
        found = str(said["predicateType"]), said["predicate"], said["_type"]
    except (ValueError, KeyError, TypeError):
        raise Refused("what is signed is no statement") from None
    if subjects != {digest.removeprefix("sha256:")} or found[2] != STATEMENT:
        raise Refused("it is a statement about another image")
    return found[0], found[1]


def _signed(key: ec.EllipticCurvePublicKey, signature: str, data: bytes) -> None:
    try:
        require(key, base64.b64decode(signature, validate=True), data)
    except (InvalidSignature, binascii.Error, ValueError):
        raise Refused("the owner of the key did not sign it") from None
