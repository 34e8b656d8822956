"""The parts of an image as SPDX 2.3 (JSON)."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from functools import cache
from typing import Any
from uuid import UUID

from cyclonedx.spdx import is_expression

from builder import __version__
from builder.lock.model import StackLock
from builder.sbom.parts import Part

_UNSAID = "NOASSERTION"
_PURPOSES = {"operating system": "OPERATING-SYSTEM", "source": "SOURCE", "image layer": "CONTAINER", "model": "FILE"}


def write(summary: str, lock: StackLock, parts: list[Part], serial: UUID) -> str:
    """The document; its time is that of the lock, its namespace holds the serial number."""
    rows = [(f"SPDXRef-Part-{number}", part) for number, part in enumerate(parts, 1)]
    document = {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": f"{lock.stack}-{lock.digest[:12]}",
        "documentNamespace": f"https://spdx.org/spdxdocs/modelstacks-{lock.stack}-{serial}",
        "creationInfo": {
            "created": datetime.fromtimestamp(lock.epoch, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "creators": [f"Tool: modelstacks-{__version__}"],
        },
        "packages": [_stack(summary, lock), *(_package(name, part) for name, part in rows)],
        "relationships": [
            _relation("SPDXRef-DOCUMENT", "DESCRIBES", "SPDXRef-Stack"),
            *(
                _relation("SPDXRef-Stack", "CONTAINS", name)
                if part.shipped
                else _relation(name, "BUILD_TOOL_OF", "SPDXRef-Stack")
                for name, part in rows
            ),
        ],
    }
    return json.dumps(document, indent=2, sort_keys=True) + "\n"


def _relation(one: str, kind: str, other: str) -> dict[str, str]:
    return {"spdxElementId": one, "relationshipType": kind, "relatedSpdxElement": other}


def _stack(summary: str, lock: StackLock) -> dict[str, Any]:
    return {
        "SPDXID": "SPDXRef-Stack",
        "name": lock.stack,
        "versionInfo": lock.digest[:12],
        "downloadLocation": _UNSAID,
        "filesAnalyzed": False,
        "licenseConcluded": _UNSAID,
        "licenseDeclared": _UNSAID,
        "copyrightText": _UNSAID,
        "primaryPackagePurpose": "CONTAINER",
        "summary": summary,
        "comment": f"made from the lock of sha256 {lock.digest}",
    }


def _package(name: str, part: Part) -> dict[str, Any]:
    expression = part.licences[0] if len(part.licences) == 1 and _is_spdx(part.licences[0]) else ""
    package = {
        "SPDXID": name,
        "name": part.name,
        "versionInfo": part.version,
        "packageFileName": part.filename,
        "downloadLocation": part.where or _UNSAID,
        "filesAnalyzed": False,
        "checksums": [{"algorithm": "SHA256", "checksumValue": part.sha256}],
        "licenseConcluded": _UNSAID,
        "licenseDeclared": expression or _UNSAID,
        "copyrightText": _UNSAID,
        "primaryPackagePurpose": _PURPOSES.get(part.role, "LIBRARY"),
        "externalRefs": [
            {"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": part.purl}
        ],
    }
    if part.licences and not expression:
        package["licenseComments"] = f"stated as: {'; '.join(part.licences)}"
    return package


@cache
def _is_spdx(text: str) -> bool:
    return is_expression(text)
