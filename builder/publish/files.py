"""The files of locks into a registry, from where other builders fetch them."""

from __future__ import annotations

import threading
import time
from dataclasses import asdict, dataclass
from typing import Any

from builder.errors import JobError
from builder.fetch.shelf import Shelf
from builder.lock.model import Artifact, StackLock
from builder.lock.service import ServiceLock
from builder.registry import Connection, Descriptor, Repository, digest_of
from builder.registry.descriptor import EMPTY, MANIFEST
from builder.registry.files import ARTIFACT, FILE, TITLE, manifest
from builder.registry.upload import push
from builder.settings import Settings
from builder.ui import Ui, human_bytes

__all__ = ["ARTIFACT", "Shared", "share"]


@dataclass(frozen=True)
class Shared:
    """What is in the registry now. sent: bytes that went over the wire; there: files that did not have to."""

    stack: str
    artifact: str
    tag: str
    files: int
    bytes: int
    there: int
    sent: int
    seconds: float

    def document(self) -> dict[str, Any]:
        """For --json."""
        return asdict(self)


def share(stack: str, lock: StackLock | ServiceLock, address: tuple[str, str], settings: Settings, ui: Ui) -> Shared:
    """Have every file of a lock in a repository, and an artifact that names them, tagged STACK-LOCK.

    address: host and name. Files that are there are not sent. Raises JobError where a file is not here, whole and
    right, and where the registry refuses; SurroundingsError where it cannot be reached, or wants a login.
    """
    started = time.monotonic()
    shelves = [Shelf(settings, item) for item in dict.fromkeys(lock.carried())]
    _require(stack, shelves)
    host, name = address
    with Connection(host, settings, ui.warn) as connection:
        repository = Repository(connection, name, writes=True)
        ui.step(f"sharing {len(shelves)} files of {stack} in {repository.address}")
        pushed = {}
        for shelf in sorted(shelves, key=lambda one: -one.artifact.size):
            blob = _blob(shelf.artifact)
            if blob.digest not in pushed:
                pushed[blob.digest] = push(repository, blob, shelf.path)
            if pushed[blob.digest].sent > _WORTH_SAYING:
                ui.sub("share", f"{shelf.artifact.filename}: {human_bytes(blob.size)}")
        push(repository, Descriptor.of(EMPTY, b"{}"), b"{}")
        named = [(f"{one.artifact.folder}/{one.artifact.filename}", _blob(one.artifact)) for one in shelves]
        data = manifest(named, {TITLE: stack, "io.modelstacks.lock": lock.digest})
        tag = f"{stack}-{lock.digest[:12]}"
        repository.put_manifest(digest_of(data), data, MANIFEST)
        repository.put_manifest(tag, data, MANIFEST)
    done = Shared(
        stack=stack,
        artifact=f"{repository.address}@{digest_of(data)}",
        tag=tag,
        files=len(shelves),
        bytes=sum(shelf.artifact.size for shelf in shelves),
        there=sum(one.outcome == "there" for one in pushed.values()),
        sent=sum(one.sent for one in pushed.values()),
        seconds=round(time.monotonic() - started, 3),
    )
    ui.tell(f"{stack}: {done.files} files in {done.artifact}, {done.there} were there, {human_bytes(done.sent)} sent")
    return done


_WORTH_SAYING = 32 << 20  # bytes


def _blob(item: Artifact) -> Descriptor:
    return Descriptor(FILE, f"sha256:{item.sha256}", item.size)


def _require(stack: str, shelves: list[Shelf]) -> None:
    """Raise JobError for the first file that is not here as it is locked."""
    for shelf in shelves:
        if not shelf.stamped() and not (shelf.artifact.sha256 and shelf.right(threading.Event())):
            raise JobError(
                f"{shelf.artifact.filename} of {stack} is not here, whole and right",
                where=str(shelf.path),
                fix=f"make fetch STACK={stack}, and make build for what is compiled",
            )
