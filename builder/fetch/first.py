"""Files of unknown hash, fetched for the first time."""

from __future__ import annotations

import threading
from dataclasses import replace

from builder.errors import InputError, JobError
from builder.fetch import fetch
from builder.fetch.download import download
from builder.fetch.member import unpack
from builder.fetch.shelf import Shelf
from builder.files import sha256_of
from builder.lock.model import Artifact, StackLock
from builder.lock.weights import named
from builder.net.huggingface import address
from builder.net.session import Session
from builder.net.urls import clean_url
from builder.settings import Settings
from builder.spec.parts import hash_prefix
from builder.ui import Ui

_NO_STOP = threading.Event()


class First:
    """Fetches files for the first time."""

    def __init__(self, settings: Settings, session: Session, ui: Ui) -> None:
        self._settings, self._session, self._ui = settings, session, ui

    def seen(self, item: Artifact, lock: StackLock) -> Artifact:
        """The file as it is seen now, in its place under its lasting name."""
        shelf = Shelf(self._settings, item)
        with shelf.held(_NO_STOP):
            if item.origin.scheme == "member":
                sha256, where = self._member(shelf, lock)
            else:
                sha256, where = self._downloaded(shelf)
            self._check(shelf, sha256, where)
            size = shelf.part.stat().st_size
            if item.pending:
                found = named(item, sha256, size=size, seen=where)
                self._ui.warn(f"{item.project}: recorded sha256 {sha256}, {size} bytes, first seen at {where}")
            else:
                found = replace(item, size=size)
            final = Shelf(self._settings, found)
            shelf.part.replace(final.path)
            final.stamp()
        return found

    def _downloaded(self, shelf: Shelf) -> tuple[str, str]:
        # A part of another day may be of another file, and no hash would tell.
        shelf.part.unlink(missing_ok=True)
        url = address(shelf.artifact.origin)
        with self._ui.transfer(f"fetching {shelf.artifact.project}", shelf.artifact.size) as transfer:
            sha256 = download(shelf, url, self._session, transfer.advance)
        return sha256, clean_url(self._session.served(url))

    def _member(self, shelf: Shelf, lock: StackLock) -> tuple[str, str]:
        name, path = shelf.artifact.origin.place, shelf.artifact.origin.path
        archive = next((item for item in lock.archives if item.filename == name), None)
        if archive is None:
            raise InputError(f"the lock names no archive {name}", fix=f"run `make lock STACK={lock.stack}`")
        fetch([archive], lock.indexes, self._settings, self._ui)
        unpack(self._settings.home / archive.folder / archive.filename, path, shelf.part)
        return sha256_of(shelf.part), f"{archive.seen or clean_url(str(archive.origin))}!{path}"

    def _check(self, shelf: Shelf, sha256: str, where: str) -> None:
        item = shelf.artifact
        wanted = item.sha256 or hash_prefix(item.project)
        if sha256.startswith(wanted):
            return
        shelf.part.unlink()
        says = "the lock says" if item.sha256 else "its name says that it begins with"
        raise JobError(
            f"{item.project} is not the file it should be",
            where=where,
            why=f"its sha256 is {sha256}, {says} {wanted}",
            fix="use another address, or find out why the file changed",
        )
