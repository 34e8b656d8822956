"""The parts of an image as CycloneDX 1.6 (JSON), by cyclonedx-python-lib."""

from __future__ import annotations

from datetime import datetime, timezone
from uuid import UUID

from cyclonedx.factory.license import LicenseFactory
from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, Property, XsUri
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentScope, ComponentType
from cyclonedx.model.license import License, LicenseExpression
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from builder import __version__
from builder.lock.model import StackLock
from builder.sbom.parts import Part

_TYPES = {
    "library": ComponentType.LIBRARY,
    "operating system": ComponentType.LIBRARY,
    "source": ComponentType.APPLICATION,
    "model": ComponentType.MACHINE_LEARNING_MODEL,
    "image layer": ComponentType.CONTAINER,
    "build tool": ComponentType.APPLICATION,
}


def write(summary: str, lock: StackLock, parts: list[Part], serial: UUID) -> str:
    """The document; its time is that of the lock, its serial number the given one."""
    root = Component(
        name=lock.stack,
        version=lock.digest[:12],
        type=ComponentType.CONTAINER,
        bom_ref=f"stack:{lock.stack}",
        description=summary,
        properties=[Property(name="modelstacks:lock", value=lock.digest)],
    )
    bom = Bom(serial_number=serial, version=1)
    bom.metadata.timestamp = datetime.fromtimestamp(lock.epoch, timezone.utc)
    bom.metadata.component = root
    bom.metadata.tools.components.add(
        Component(name="modelstacks", version=__version__, type=ComponentType.APPLICATION)
    )
    factory = LicenseFactory()
    components = [_component(part, factory) for part in parts]
    for one in components:
        bom.components.add(one)
    bom.register_dependency(root, [one for one in components if one.scope is ComponentScope.REQUIRED])
    return str(JsonV1Dot6(bom).output_as_string(indent=2)) + "\n"


def _component(part: Part, factory: LicenseFactory) -> Component:
    references = [ExternalReference(type=ExternalReferenceType.DISTRIBUTION, url=XsUri(part.where))]
    return Component(
        name=part.name,
        version=part.version,
        type=_TYPES[part.role],
        bom_ref=f"{part.role}:{part.filename}".replace(" ", "-"),
        purl=PackageURL.from_string(part.purl),
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=part.sha256)],
        licenses=_licences(part, factory),
        scope=ComponentScope.REQUIRED if part.shipped else ComponentScope.EXCLUDED,
        external_references=references if part.where else [],
        properties=[
            Property(name="modelstacks:role", value=part.role),
            Property(name="modelstacks:file", value=part.filename),
            Property(name="modelstacks:size", value=str(part.size)),
        ],
    )


def _licences(part: Part, factory: LicenseFactory) -> list[License]:
    """One SPDX expression or id where it is one, else names: the format allows no expression beside others."""
    if len(part.licences) == 1:
        return [factory.make_from_string(part.licences[0])]
    made = [factory.make_from_string(name) for name in part.licences]
    return [
        factory.make_with_name(name) if isinstance(one, LicenseExpression) else one
        for name, one in zip(part.licences, made, strict=True)
    ]
