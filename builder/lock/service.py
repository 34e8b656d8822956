"""The lock of a service: its image by digest, every blob of it by sha256, in stacks/NAME/stack.lock."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from builder.errors import InputError, JobError, SurroundingsError
from builder.files import sha256_text, write_atomic
from builder.lock import store
from builder.lock.model import LOCK_VERSION, Artifact, LockedBase, StackLock
from builder.settings import Settings
from builder.spec.service import KIND, Service

if TYPE_CHECKING:
    from builder.net.session import Session

# a lock may come from anyone, and this becomes words of a compose file
_REFERENCE = re.compile(r"[a-z0-9][A-Za-z0-9._:/-]*@sha256:[0-9a-f]{64}")


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
    if store.exists(folder) and not upgrade:
        there = read(folder)
        if there.inputs == inputs:
            return there
    from builder.lock.base import registry_blobs, untagged  # noqa: PLC0415 - slow to load; reading a lock needs none

    name, digest = untagged(service.image), service.image.partition("@")[2]
    digest = digest or _resolved(service.image, settings)
    blobs = registry_blobs(name, digest, settings)
    write_atomic(folder / store.STACK_LOCK, _text(service.name, inputs, f"{name}@{digest}", blobs))
    return read(folder)


def locked(service: Service, folder: Path) -> ServiceLock:
    """The lock of a service. Raises InputError where there is none, or it is stale."""
    found = read(folder)
    if found.inputs != inputs_digest(service):
        problem, why = f"the lock of {service.name} is stale", "`image` was changed since"
        fix = f"run `make lock STACK={service.name}`"
        raise InputError(problem, where=str(folder / store.STACK_LOCK), why=why, fix=fix)
    return found


def read(folder: Path) -> ServiceLock:
    """The lock in a service's folder. Raises InputError where it is missing, damaged or of another version."""
    path, relock = folder / store.STACK_LOCK, f"run `make lock STACK={folder.name}`"
    if not path.exists():
        raise InputError(f"service {folder.name} has no lock yet", where=str(path), fix=relock)
    data = store.load(path, relock)
    try:
        if (data["version"], data["kind"]) != (LOCK_VERSION, KIND):
            raise ValueError(f"version {data['version']!r} of kind {data['kind']!r}")
        found = ServiceLock(
            stack=data["stack"],
            inputs=data["inputs"],
            reference=data["reference"],
            blobs=store.artifacts("blob", data["blobs"]),
            digest=sha256_text(path.read_text()),
        )
        if not _REFERENCE.fullmatch(found.reference):
            raise ValueError(f"{found.reference!r} is not an image by its digest")
        if [one.project for one in found.blobs[:2]] != ["manifest", "config"]:
            raise ValueError("the blobs do not begin with a manifest and a configuration")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError("it is damaged", where=str(path), why=f"{type(error).__name__}: {error}", fix=relock) from None
    return found


def read_any(folder: Path) -> StackLock | ServiceLock:
    """The lock in a folder, whichever kind it is of. Raises as `read` and the lock room's own do."""
    path = folder / store.STACK_LOCK
    if path.exists() and store.load(path, f"run `make lock STACK={folder.name}`").get("kind") == KIND:
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
    from builder.net.registry import Repository, split  # noqa: PLC0415 - as above

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
