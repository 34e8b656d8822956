"""Fetch: everything a lock names comes to wheels/ and assets/, each file verified before it takes its name."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from builder.errors import InputError, JobError
from builder.fetch.shelf import Shelf
from builder.lock.model import Artifact, LockedIndex
from builder.settings import Settings
from builder.ui import Ui


@dataclass(frozen=True)
class Fetched:
    """What one fetch did.

    fetched: names of the files that were brought. bytes: their sizes together. kept: number of files
    that were there and good. set_aside: where files with wrong bytes were moved. seconds: the time it took.
    """

    fetched: tuple[str, ...]
    bytes: int
    kept: int
    set_aside: tuple[str, ...]
    seconds: float

    def document(self) -> dict[str, Any]:
        """The same as a JSON-ready mapping."""
        return {**asdict(self), "fetched": list(self.fetched), "set_aside": list(self.set_aside)}


def fetch(
    artifacts: Sequence[Artifact],
    indexes: Mapping[str, LockedIndex],
    settings: Settings,
    ui: Ui,
    *,
    verify: bool = False,
    offline: bool = False,
) -> Fetched:
    """Bring every artifact to its folder under settings.home; a file is whole and of the locked sha256, or not there.

    indexes: the named indexes of the lock. verify: hash files again that were already verified.
    offline: ask no network; raises JobError that names the file which is not here, whole and right.
    Runs may share the folders. Raises InputError for a lock that names an unsafe file name or unknown
    origin, JobError where a server has not the locked bytes, SurroundingsError where it cannot be
    reached or the disk is full. Stopped at any point, the next fetch goes on from what is there.
    """
    started = time.monotonic()
    if open_hashes := [artifact.filename for artifact in artifacts if artifact.pending]:
        problem = f"the hash of {', '.join(open_hashes)} is pending"
        raise InputError(problem, fix="run `make fetch` for this stack, which records it")
    shelves = [Shelf(settings, artifact) for artifact in _distinct(artifacts)]
    open_ = [shelf for shelf in shelves if verify or not shelf.stamped()]
    if not open_:
        return Fetched((), 0, len(shelves), (), time.monotonic() - started)
    if offline:
        _require_here(open_)
        return Fetched((), 0, len(shelves), (), time.monotonic() - started)
    from builder.fetch.run import Run  # noqa: PLC0415 (requests is slow to load, and a no-op needs none)

    run = Run(indexes, settings, ui, verify=verify)
    run.bring(open_)
    return Fetched(
        fetched=tuple(sorted(artifact.filename for artifact in run.fetched)),
        bytes=sum(artifact.size for artifact in run.fetched),
        kept=len(shelves) - len(run.fetched),
        set_aside=tuple(run.set_aside),
        seconds=time.monotonic() - started,
    )


def _require_here(shelves: Sequence[Shelf]) -> None:
    for shelf in shelves:
        if not shelf.right(threading.Event()):
            there = shelf.path.exists()
            raise JobError(
                f"{shelf.artifact.filename} is not in the wheelhouse; OFFLINE forbids fetching it",
                where=str(shelf.path),
                why="the file there has wrong bytes" if there else "",
                fix="bring it by a bundle (`make import`), or run without OFFLINE",
            )
        shelf.stamp()


def _distinct(artifacts: Sequence[Artifact]) -> list[Artifact]:
    """Each file once. Raises InputError where one name stands for two contents."""
    seen: dict[tuple[str, str], Artifact] = {}
    for artifact in artifacts:
        other = seen.setdefault((artifact.folder, artifact.filename), artifact)
        if other.sha256 != artifact.sha256:
            raise InputError(
                f"the lock names {artifact.filename} twice, with two different sha256",
                why=f"{other.sha256} and {artifact.sha256}",
                fix="run `make lock`",
            )
    return list(seen.values())
