"""The verb verify: a published image against its signature, its statements, and itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from builder.errors import InputError
from builder.publish.proof import Required
from builder.registry import Connection, Repository, digest_of
from builder.registry.descriptor import DIGEST, reference
from builder.registry.repository import Found
from builder.settings import Settings
from builder.ui import Ui
from builder.verify import content, signed
from builder.verify.model import Verified

Rebuild = Callable[[Found, Verified], None]


def verify(
    image: str,
    key: ec.EllipticCurvePublicKey,
    name: Path,
    settings: Settings,
    ui: Ui,
    *,
    required: Required = "cpu",
    rebuild: Rebuild | None = None,
) -> Verified:
    """Look at an image in a registry; every fault is in what is given back, none is raised.

    key: of its publisher, whose file is name. required: the smoke evidence that it must have. rebuild: builds it from
    the lock that was found and notes what differs. Raises InputError where there is no such image, and what
    Connection raises.
    """
    host, path, wanted = reference(image)
    found = Verified(image)
    with Connection(host, settings, ui.warn) as connection:
        repository = Repository(connection, path)
        with ui.working(f"verifying {image}"):
            there = _manifest(repository, wanted, found)
            if there is None:
                return found
            said = signed.statements(repository, key, name, found, wanted, smoke=required != "none")
            config = content.image(repository, there, found)
    lock = content.lock(said, config, found)
    if lock:
        content.listed(said, lock, found)
    content.evidence(said, config, there, found, gpu=required == "gpu")
    if rebuild and lock:
        rebuild(there, found)
    return found


def _manifest(repository: Repository, wanted: str, found: Verified) -> Found | None:
    there = None
    with found.naming("manifest", wanted):
        there = repository.manifest(wanted)
        if there is None:
            fix = "check its name and tag"
            raise InputError("there is no such image", where=f"{repository.address}:{wanted}", fix=fix)
    if there is None:
        return None
    found.digest = there.digest
    if there.told and there.told != there.digest:
        why = f"the registry serves other bytes for {there.told}"
        found.fault("manifest", wanted, why)
        return None
    if not DIGEST.fullmatch(wanted):
        with found.naming("manifest", there.digest):
            again = repository.manifest(there.digest)
            if again is None or digest_of(again.data) != there.digest:
                found.fault("manifest", there.digest, "the tag serves it, its digest does not")
                return None
    return there if not found.faults else None
