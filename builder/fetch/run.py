"""One fetch of several files at once: who is brought, in which order, and what stops them all."""

from __future__ import annotations

import errno
import shutil
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import nullcontext
from pathlib import Path

from builder.errors import JobError, SurroundingsError
from builder.fetch.address import Addresses
from builder.fetch.download import download
from builder.fetch.member import unpack
from builder.fetch.shared import Shared
from builder.fetch.shelf import Shelf
from builder.files import sha256_of, sync_folder
from builder.lock.model import Artifact, LockedIndex
from builder.net import Stopped
from builder.net.git import archive_commit
from builder.net.session import Session, clean_url
from builder.registry.pulls import Blob, Repository
from builder.settings import Settings
from builder.ui import Transfer, Ui, human_bytes

_FULL = (errno.ENOSPC, errno.EDQUOT)


class Run:
    """Brings files. fetched: those brought. set_aside: where wrong ones went."""

    def __init__(self, indexes: Mapping[str, LockedIndex], settings: Settings, ui: Ui, *, verify: bool) -> None:
        self.fetched: list[Artifact] = []
        self.set_aside: list[str] = []
        self._settings, self._ui, self._verify = settings, ui, verify
        self._session = Session(settings, locked=True, warn=ui.warn)
        self._addresses = Addresses(indexes, settings, self._session)
        self._shared = Shared(settings, ui, self._session.stopping)
        self._absent: list[Shelf] = []
        self._repositories: dict[str, Repository] = {}
        self._guard = threading.Lock()

    def bring(self, shelves: Sequence[Shelf]) -> None:
        """Bring all, the largest first so that no long one is left to the end; the first failure stops the rest."""
        self._absent = [shelf for shelf in shelves if not shelf.path.exists()]
        self._check_room()
        total = sum(shelf.artifact.size for shelf in self._absent)
        with self._ui.transfer(f"fetching {len(self._absent)} files", total) if total else nullcontext() as transfer:
            # The members of archives wait for all archives.
            members = [shelf for shelf in shelves if shelf.artifact.origin.scheme == "member"]
            failures = self._all([shelf for shelf in shelves if shelf not in members], transfer)
            failures = failures or self._all(members, transfer)
        for folder in {shelf.folder for shelf in shelves if shelf.folder.exists()}:
            sync_folder(folder)
        if failures:
            raise failures[0]

    def _all(self, shelves: Sequence[Shelf], transfer: Transfer | None) -> list[BaseException]:
        """Run every shelf's job; gives back why they failed, the cause before what it stopped."""
        order = sorted(shelves, key=lambda shelf: (-shelf.artifact.size, shelf.artifact.filename))
        pool = ThreadPoolExecutor(max_workers=max(self._settings.jobs, 1), thread_name_prefix="fetch")
        futures: list[Future[None]] = []
        try:
            futures += [pool.submit(self._one, shelf, transfer) for shelf in order]
            wait(futures, return_when=FIRST_EXCEPTION)
        finally:
            if not all(future.done() and not future.exception() for future in futures):
                self._session.stop()
            pool.shutdown(cancel_futures=True)
            self._session.close()
            self._shared.close()
        errors = [error for future in futures if not future.cancelled() and (error := future.exception())]
        return sorted(errors, key=lambda error: isinstance(error, Stopped))

    def _one(self, shelf: Shelf, transfer: Transfer | None) -> None:
        known = shelf in self._absent

        def advance(count: int) -> None:
            if transfer is not None and known:
                transfer.advance(count)

        try:
            with shelf.held(self._session.stopping):
                self._held_one(shelf, advance)
        except OSError as error:
            raise self._disk_error(error, shelf.folder) from error

    def _held_one(self, shelf: Shelf, advance: Callable[[int], None]) -> None:
        """Under the artifact's lock: another run may have brought the file meanwhile."""
        artifact = shelf.artifact
        if not self._verify and shelf.stamped():
            return
        if shelf.path.exists() or shelf.path.is_symlink():
            if shelf.right(self._session.stopping):
                shelf.stamp()
                return
            aside = shelf.set_aside()
            self.set_aside.append(aside)
            self._ui.warn(f"{artifact.folder}/{artifact.filename} has wrong bytes; moved to {aside}, fetched again")
        if self._shared.bring(shelf, advance):
            pass
        elif artifact.origin.scheme == "git":
            self._from_git(shelf)
        elif artifact.origin.scheme == "member":
            self._from_archive(shelf)
        elif artifact.origin.scheme == "registry":
            self._from_registry(shelf, advance)
        else:
            self._from_address(shelf, advance)
        shelf.part.replace(shelf.path)
        shelf.stamp()
        self.fetched.append(artifact)

    def _from_address(self, shelf: Shelf, advance: Callable[[int], None]) -> None:
        url = self._addresses.url(shelf.artifact)
        try:
            download(shelf, url, self._session, advance)
        except JobError as error:  # the mirror that sent it is to blame, not the address it stands for
            error.where = error.where.replace(clean_url(url), clean_url(self._session.served(url)))
            raise

    def _from_git(self, shelf: Shelf) -> None:
        url, commit = shelf.artifact.origin.place, shelf.artifact.origin.revision
        archive_commit(url, commit, shelf.part, self._settings)
        if (seen := sha256_of(shelf.part)) != shelf.artifact.sha256:
            shelf.part.unlink()
            raise JobError(
                f"the archive of the commit is not the locked {shelf.artifact.filename}",
                where=f"{url}@{commit}",
                why=f"expected sha256 {shelf.artifact.sha256}, made {seen}",
                fix="run `make lock`; if it happens again, another version of git makes other archives",
            )

    def _from_archive(self, shelf: Shelf) -> None:
        path = shelf.artifact.origin.path
        archive = self._settings.assets / "archives" / shelf.artifact.origin.place
        unpack(archive, path, shelf.part)
        if (seen := sha256_of(shelf.part)) != shelf.artifact.sha256:
            shelf.part.unlink()
            raise JobError(
                f"{path} in the archive is not the locked file",
                where=str(archive),
                why=f"expected sha256 {shelf.artifact.sha256}, seen {seen}",
                fix="correct the sha256 of the member, or find out why it changed, and run `make lock`",
            )

    def _from_registry(self, shelf: Shelf, advance: Callable[[int], None]) -> None:
        """A blob, from the first mirror of its image that has it."""
        item = shelf.artifact
        blob = Blob(item.project, f"sha256:{item.sha256}", item.size)
        *others, last = self._settings.image_mirrors(item.origin.place)
        for address in others:
            try:
                return self._from_repository(address, shelf, blob, advance)
            except (JobError, SurroundingsError) as error:
                self._ui.warn(f"{address}: {error.problem}; the next mirror is used")
        return self._from_repository(last, shelf, blob, advance)

    def _from_repository(self, address: str, shelf: Shelf, blob: Blob, advance: Callable[[int], None]) -> None:
        with self._guard:
            repository = self._repositories.setdefault(address, Repository(address, self._session))
        download(shelf, repository.url(blob), repository, advance)

    def _missing(self, folder: Path) -> int:
        """Bytes still to come into folders on the same file system as this one."""
        device = _nearest(folder).stat().st_dev
        return sum(
            shelf.artifact.size - shelf.partial()
            for shelf in self._absent
            if not shelf.path.exists() and _nearest(shelf.folder).stat().st_dev == device
        )

    def _check_room(self) -> None:
        for folder in sorted({shelf.folder for shelf in self._absent}):
            if self._missing(folder) > shutil.disk_usage(_nearest(folder)).free:
                raise self._no_room(folder)

    def _no_room(self, folder: Path) -> SurroundingsError:
        free = shutil.disk_usage(_nearest(folder)).free
        needed = self._missing(folder)
        return SurroundingsError(
            "there is not enough room on the disk",
            where=str(folder),
            why=f"{needed} bytes ({human_bytes(needed)}) are needed, {free} bytes ({human_bytes(free)}) are free",
            fix="make room, or export MODELSTACKS_HOME=FOLDER on a larger disk; what came so far is kept",
        )

    def _disk_error(self, error: OSError, folder: Path) -> SurroundingsError:
        if error.errno in _FULL:
            return self._no_room(folder)
        return SurroundingsError(
            "the folder cannot be used", where=str(error.filename or folder), why=error.strerror or str(error),
            fix="check its owner and rights",
        )  # fmt: skip


def _nearest(folder: Path) -> Path:
    """The folder itself or its nearest parent that exists."""
    return next(path for path in (folder, *folder.parents) if path.exists())
