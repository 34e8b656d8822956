"""What is said of a published image, as in-toto statements in DSSE envelopes. No IO here.

Sources: in-toto Attestation Framework (Statement v1), DSSE v1, SLSA provenance v1.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from builder import __version__
from builder.keys import signed
from builder.lock.model import StackLock
from builder.sbom import Sbom

STATEMENT = "https://in-toto.io/Statement/v1"
PAYLOAD = "application/vnd.in-toto+json"
ENVELOPE = "application/vnd.dsse.envelope.v1+json"
CYCLONEDX, SPDX = "https://cyclonedx.org/bom", "https://spdx.dev/Document"
PROVENANCE = "https://slsa.dev/provenance/v1"
EVIDENCE, LOCK = "https://modelstacks.invalid/smoke/v1", "https://modelstacks.invalid/lock/v1"
BUILDER = "https://modelstacks.invalid/builder"
BUILD_TYPE = "https://modelstacks.invalid/build/v1"
# As people say them, in messages.
NAMES = {CYCLONEDX: "SBOM", SPDX: "SPDX", PROVENANCE: "provenance", EVIDENCE: "evidence", LOCK: "lock"}


def to_json(value: object) -> bytes:
    """JSON of which the same value always gives the same bytes."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def statement(kind: str, predicate: Mapping[str, Any], name: str, digest: str) -> bytes:
    """A statement about the image of this name and digest."""
    subject = [{"name": name, "digest": {"sha256": digest.removeprefix("sha256:")}}]
    return to_json({"_type": STATEMENT, "subject": subject, "predicateType": kind, "predicate": predicate})


def padded(payload: bytes) -> bytes:
    """What is signed of an envelope: DSSE's pre-authentication encoding."""
    return b"DSSEv1 %d %s %d %s" % (len(PAYLOAD), PAYLOAD.encode(), len(payload), payload)


def envelope(payload: bytes, key: ec.EllipticCurvePrivateKey) -> bytes:
    """A signed statement."""
    signature = base64.b64encode(signed(key, padded(payload))).decode()
    body = base64.b64encode(payload).decode()
    return to_json({"payloadType": PAYLOAD, "payload": body, "signatures": [{"keyid": "", "sig": signature}]})


def predicates(sbom: Sbom, lock: StackLock, texts: Mapping[str, str], build: str) -> dict[str, Mapping[str, Any]]:
    """What is said of every image, by its kind. texts: the files of the lock. build: the image's label of its build."""
    return {
        CYCLONEDX: json.loads(sbom.cyclonedx),
        SPDX: json.loads(sbom.spdx),
        PROVENANCE: provenance(sbom, lock, build),
        LOCK: dict(texts),
    }


def provenance(sbom: Sbom, lock: StackLock, build: str) -> dict[str, Any]:
    """SLSA provenance v1: what it was built from and by. Nothing of the machine, no time but the lock's."""
    needed = [
        {"name": part.filename, "uri": part.purl, "digest": {"sha256": part.sha256}}
        for part in sorted(sbom.parts, key=lambda part: (part.filename, part.sha256))
    ]
    return {
        "buildDefinition": {
            "buildType": BUILD_TYPE,
            "externalParameters": {"stack": lock.stack, "lock": {"sha256": lock.digest}},
            "internalParameters": {"build": build, "epoch": lock.epoch, "platform": "linux/amd64", "network": "none"},
            "resolvedDependencies": needed,
        },
        "runDetails": {"builder": {"id": BUILDER, "version": {"modelstacks": __version__}}},
    }
