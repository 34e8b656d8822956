"""The lock of a service: its image by digest, every blob of it by sha256, in stacks/NAME/stack.lock."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from builder.errors import InputError, JobError, SurroundingsError
from builder.files import sha256_text, write_atomic
from builder.lock import fits, store, together
from builder.lock.model import LOCK_VERSION, Artifact, LockedBase, StackLock
from builder.lock.schema import ServiceLockFile
from builder.settings import Settings
from builder.spec import tomldoc
from builder.spec.service import KIND, Service

if TYPE_CHECKING:
    from builder.net.session import Session


@dataclass(frozen=True, kw_only=True)
class ServiceLock:
    """Everything locked for one service.

    inputs: digest of what it was locked for. reference: the image by its digest, as its registry names it.
    blobs: its manifest for linux/amd64, its configuration and its layers, in that order. digest: sha256 of stack.lock.
    """

    stack: str
    inputs: str
    reference: str
    blobs: tuple[Artifact, ...]
    digest: str = ""

    @property
    def image_digest(self) -> str:
        """sha256:… of the image, or of the index that lists it by platform."""
        return self.reference.rpartition("@")[2]

    @property
    def base(self) -> LockedBase:
        """The image as bases are locked."""
        return LockedBase(kind="image", reference=self.reference, digest=self.image_digest, blobs=self.blobs)

    def artifacts(self) -> tuple[Artifact, ...]:
        """Every file to fetch."""
        return self.blobs

    def carried(self) -> tuple[Artifact, ...]:
        """Every file that a bundle carries."""
        return self.blobs


def inputs_digest(service: Service) -> str:
    """64 hex digits over what the lock is made from: the image alone."""
    return sha256_text(json.dumps([LOCK_VERSION, KIND, service.image]))


def lock(service: Service, folder: Path, settings: Settings, *, upgrade: bool = False) -> ServiceLock:
    """Ask the registry for the image's digest and blobs, and write stack.lock; a fresh lock is kept.

    upgrade: ask again, as a tag may have moved. Raises InputError where the registry has no such image, JobError where
    it answers wrongly, SurroundingsError where it cannot be reached or wants a login.
    """
    inputs = inputs_digest(service)
    there = None if upgrade else _readable(folder)
    if there and there.inputs == inputs and _fits(service, there):
        return there
    from builder.lock.base import registry_blobs, untagged  # noqa: PLC0415 - slow to load; reading a lock needs none

    name, digest = untagged(service.image), service.image.partition("@")[2]
    digest = digest or _resolved(service.image, settings)
    blobs = registry_blobs(name, digest, settings)
    write_atomic(folder / store.STACK_LOCK, _text(service.name, inputs, f"{name}@{digest}", blobs))
    return read(folder)


def _readable(folder: Path) -> ServiceLock | None:
    """The lock that is there, or None where there is none or it cannot be read (it is then made anew)."""
    try:
        return read(folder) if store.exists(folder) else None
    except InputError:
        return None


def locked(service: Service, folder: Path) -> ServiceLock:
    """The lock of a service. Raises InputError where there is none, or it is stale."""
    found = read(folder)
    if found.inputs != inputs_digest(service):
        problem, why = f"the lock of {service.name} is stale", "`image` was changed since"
        fix = f"run `make lock STACK={service.name}`"
        raise InputError(problem, where=str(folder / store.STACK_LOCK), why=why, fix=fix)
    if not _fits(service, found):
        raise InputError(
            f"the lock of {service.name} is not of this service",
            where=str(folder / store.STACK_LOCK),
            why=f"its image is {found.reference}, the service's is {service.image}",
            fix=f"run `make lock STACK={service.name}`, and find out who changed the lock",
        )
    return found


def _fits(service: Service, lock: ServiceLock) -> bool:
    """Whether a lock is of the image that the service names."""
    digest = service.image.partition("@")[2]
    return fits.untagged(lock.reference) == fits.untagged(service.image) and digest in ("", lock.image_digest)


def read(folder: Path) -> ServiceLock:
    """The lock in a service's folder. Raises InputError where it is missing, damaged or of another version."""
    path = folder / store.STACK_LOCK
    if not store.exists(folder):
        raise InputError(f"service {folder.name} has no lock yet", where=str(path), fix=together.relock(folder))
    text, data = tomldoc.read(path, together.relock(folder))
    together.require_version(data, path)
    found = tomldoc.held(path, text, data, ServiceLockFile, together.relock(folder))
    store.require_own(found.stack, path)
    return ServiceLock(
        stack=found.stack,
        inputs=found.inputs,
        reference=found.reference,
        blobs=store.artifacts(found.blobs),
        digest=sha256_text(text),
    )


def read_any(folder: Path) -> StackLock | ServiceLock:
    """The lock in a folder, whichever kind it is of. Raises as `read` and the lock room's own do."""
    path = folder / store.STACK_LOCK
    if store.exists(folder) and tomldoc.read(path, together.relock(folder))[1].get("kind") == KIND:
        return read(folder)
    return store.read(folder)


def _resolved(reference: str, settings: Settings) -> str:
    """The digest that a tag has now, at the first mirror that has it."""
    from builder.net.session import Session  # noqa: PLC0415 - as above

    *others, last = settings.image_mirrors(reference)
    with Session(settings) as session:
        for one in others:
            try:
                return _asked(one, session)
            except (JobError, SurroundingsError, InputError):
                continue
        return _asked(last, session)


def _asked(reference: str, session: Session) -> str:
    from builder.registry.pulls import Repository, split  # noqa: PLC0415 - as above

    return Repository(reference, session).image(split(reference)[2])[0]


def _text(name: str, inputs: str, reference: str, blobs: tuple[Artifact, ...]) -> str:
    lines = [
        "# Made by `make lock`; not for editing. The image by its digest, its blobs by what they are.",
        f"version = {LOCK_VERSION}",
        f"kind = {store.quoted(KIND)}",
        f"stack = {store.quoted(name)}",
        f"inputs = {store.quoted(inputs)}",
        f"reference = {store.quoted(reference)}",
        *store.rows("blobs", blobs),
    ]
    return "\n".join(lines) + "\n"
