"""From the mirror-neutral origin of a lock to the address that the site's settings give for it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

from builder.errors import InputError, JobError
from builder.lock.model import Artifact, LockedIndex
from builder.net.archive import archive
from builder.net.huggingface import address
from builder.net.index import Link, default_index, find_links, links
from builder.net.session import Session, clean_url, quoted
from builder.settings import Settings


class Addresses:
    """Finds where artifacts are; each index page is read once. May be used from any thread."""

    def __init__(self, indexes: Mapping[str, LockedIndex], settings: Settings, session: Session) -> None:
        self._indexes, self._settings, self._session = indexes, settings, session
        self._guard = threading.Lock()
        self._locks: dict[tuple[str, ...], threading.Lock] = {}
        self._known: dict[tuple[str, ...], Any] = {}

    def url(self, artifact: Artifact) -> str:
        """The address of an artifact. Raises InputError for an origin without one, JobError where it is not."""
        origin = artifact.origin
        if origin.scheme in ("https", "hf"):
            return address(origin)
        if origin.scheme == "archive":
            mirror = self._once(("archive", origin.place), lambda: archive(self._settings, origin.place))
            return f"{mirror}/{quoted(origin.path)}"
        if origin.scheme == "built" and self._settings.built:
            return f"{self._settings.built}/{origin.place}/{quoted(artifact.filename)}"
        if origin.scheme == "index" and artifact.project:
            return self._linked(artifact, origin.place)
        raise InputError(f"{artifact.filename} is fetched from no address", why=f"the lock has it from {origin}")

    def _linked(self, artifact: Artifact, name: str) -> str:
        page, found = self._page(artifact, name)
        link = found.get(artifact.filename)
        if link is None:
            raise JobError(
                f"the file {artifact.filename} is not on the index (any more)",
                where=clean_url(page),
                fix="run `make lock`, or name a mirror that has it",
            )
        for what, theirs, ours in (
            ("sha256", link.sha256, artifact.sha256),
            ("size", link.size, artifact.size),
        ):
            if theirs is not None and theirs != ours:
                raise JobError(
                    f"the index serves other bytes under the name {artifact.filename}",
                    where=clean_url(link.url),
                    why=f"{what} {theirs} there, {ours} in the lock",
                    fix="do not use this mirror, or find out why the file changed and run `make lock`",
                )
        return link.url

    def _page(self, artifact: Artifact, name: str) -> tuple[str, dict[str, Link]]:
        if name == "default":
            locked = LockedIndex(url=self._once(("default",), lambda: default_index(self._settings)), find_links=False)
        elif name in self._indexes:
            locked = self._indexes[name]
        else:
            raise InputError(f"the lock takes {artifact.filename} from an index {name} that it does not describe")
        if locked.find_links:
            return locked.url, self._once(("page", locked.url), lambda: find_links(self._session, locked.url))
        where = f"{locked.url} ({artifact.project})"
        key = ("project", locked.url, artifact.project)
        return where, self._once(key, lambda: links(self._session, locked.url, artifact.project))

    def _once(self, key: tuple[str, ...], find: Callable[[], Any]) -> Any:  # noqa: ANN401
        with self._guard:
            lock = self._locks.setdefault(key, threading.Lock())
        with lock:
            if key not in self._known:
                self._known[key] = find()
            return self._known[key]
