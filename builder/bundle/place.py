"""The verb import: a bundle is read and verified whole into staging folders; then its files are renamed into place."""

from __future__ import annotations

import errno
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from builder.bundle.archive import Reader
from builder.bundle.manifest import Member
from builder.bundle.parts import source
from builder.errors import InputError, ModelstacksError, SurroundingsError
from builder.files import held_folder, sha256_of, sync_folder, undisturbed
from builder.lock.service import read_any
from builder.settings import Settings
from builder.spec import stack_names
from builder.spec.files import FILES, own_files
from builder.spec.stacks import FAMILIES, Stacks
from builder.ui import Ui, human_bytes

_STAGING = ".import"


@dataclass(frozen=True, kw_only=True)
class Imported:
    """What one import did. id: the sha256 of the manifest. placed: names put in place. kept: number that were there."""

    stacks: tuple[str, ...]
    id: str
    placed: tuple[str, ...]
    kept: int
    bytes: int
    seconds: float

    def document(self) -> dict[str, Any]:
        """For --json."""
        return {**asdict(self), "stacks": list(self.stacks), "placed": list(self.placed)}


def import_(
    bundle: Path,
    settings: Settings,
    ui: Ui,
    *,
    into: Path | None = None,
    overwrite_stacks: bool = False,
    signed: str = "",
) -> Imported:
    """Bring a bundle's files to wheels/ and assets/ of the home folder, and its stacks to `into`.

    bundle: its file, its list of parts, a part, or the folder that holds it. into: a folder of stacks, default the
    last of the settings. signed: what `require_signed` gave, which all that is read is held to before anything is
    placed. A file that is there is never replaced, but for stack files under overwrite_stacks. Nothing
    is placed before every byte is verified. Raises InputError (the bundle, or a file that is there with other content)
    or SurroundingsError (the disk).
    """
    started = time.monotonic()
    stream = source(bundle, signed=signed)
    try:
        with _held(settings, into or settings.own_stacks):
            work = _Import(Reader(stream, stream.where), stream.where, settings, into or settings.own_stacks)
            placed = work.run(ui, overwrite_stacks=overwrite_stacks)
    except OSError as error:
        raise _disk(error, settings.home) from error
    except ModelstacksError:
        stream.blame()
        raise
    finally:
        stream.close()
    return Imported(
        stacks=work.manifest.stacks,
        id=work.manifest.id,
        placed=tuple(member.name for member in placed),
        kept=sum(member.placed for member in work.manifest.members) - len(placed),
        bytes=sum(member.size for member in placed),
        seconds=time.monotonic() - started,
    )


@contextmanager
def _held(settings: Settings, into: Path) -> Iterator[None]:
    """Hold every folder that an import may place into, those of stacks too: whichever home another import has."""
    with ExitStack() as used:
        for root in (settings.wheels, settings.assets, into):
            root.mkdir(parents=True, exist_ok=True)
        for root in sorted({path.resolve() for path in (settings.wheels, settings.assets, into, *settings.stacks)}):
            if root.is_dir():
                used.enter_context(held_folder(root))
        yield


class _Import:
    """One import. manifest: what the bundle says it holds; reading it is the first thing done."""

    def __init__(self, reader: Reader, where: str, settings: Settings, into: Path) -> None:
        self._reader, self._where, self._settings, self._into = reader, where, settings, into
        self.manifest = reader.manifest()
        self._stacks = stack_names(settings)

    def run(self, ui: Ui, *, overwrite_stacks: bool) -> list[Member]:
        """Verify, then place; gives the members placed."""
        for member in self.manifest.earlier:
            self._require_earlier(member)
        coming = [member for member in self.manifest.members if member.placed]
        new = [member for member in coming if self._is_new(member, overwrite=overwrite_stacks)]
        strangers = self._strangers(coming)
        if strangers and not overwrite_stacks:
            fix = "import into another folder of stacks (STACKS=DIR), or remove it by --overwrite-stacks"
            raise InputError("a stack's own files hold one that the bundle lacks", where=str(strangers[0]), fix=fix)
        with self._staging() as folders:
            self._require_room(new, folders)
            self._verify(set(new), ui)
            self._require_stacks()
            self._require_locked()
            self._place(new)
        for path in strangers:
            path.unlink()
        return new

    def _strangers(self, coming: list[Member]) -> list[Path]:
        """Files in the folders of a stack's own files that are not the bundle's: they would change its image."""
        own = [one for one in coming if one.name.startswith("stacks/") and one.name.split("/")[2] == FILES]
        ours = {self._path(one) for one in own}
        folders = {(self._root(one) / one.name.split("/")[1], one.name.split("/")[3]) for one in own}
        there = ((stack, top) for stack, top in folders if (stack / FILES / top).is_dir())
        found = (path for stack, top in there for _, path in own_files(stack, [top]))
        return sorted(path for path in found if path not in ours)

    def _root(self, member: Member) -> Path:
        """The folder that the first part of a member's name stands for."""
        first, second = member.name.split("/")[:2]
        if first == "wheels":
            return self._settings.wheels
        if first == "assets":
            return self._settings.assets
        if second in self._stacks:
            return self._stacks[second].parent
        return self._into

    def _path(self, member: Member) -> Path:
        """Where a member belongs; a family that is there already is found in any folder of stacks."""
        inner = member.name.partition("/")[2]
        if inner.startswith(f"{FAMILIES}/") and member.name.startswith("stacks/"):
            for folder in self._settings.stacks:
                if (folder / inner).is_file() and sha256_of(folder / inner) == member.sha256:
                    return folder / inner
        return self._root(member) / inner

    def _staged(self, member: Member) -> Path:
        return self._root(member) / _STAGING / member.name.partition("/")[2]

    def _require_earlier(self, member: Member) -> None:
        if member.placed and not _is(self._path(member), member):
            problem = f"{member.name} is not in this bundle, and the earlier one that has it is not imported"
            fix = f"import the earlier bundle first; its id is {self.manifest.base}"
            raise InputError(problem, where=self._where, fix=fix)

    def _is_new(self, member: Member, *, overwrite: bool) -> bool:
        path = self._path(member)
        if not os.path.lexists(path):
            return True
        if _is(path, member):
            return False
        if member.name.startswith("stacks/"):
            through = [path, *path.parents[: len(member.name.split("/")) - 2]]
            if overwrite and path.is_file() and not any(part.is_symlink() for part in through):
                return True
            fix = "import into another folder of stacks (STACKS=DIR), or replace it by --overwrite-stacks"
        else:
            fix = f"move {path} away if it is damaged or not needed, then import again"
        raise InputError(f"{member.name} is there with other content", where=str(path), fix=fix)

    @contextmanager
    def _staging(self) -> Iterator[set[Path]]:
        """Empty staging folders beside the places, gone at the end; a killed import may have left some."""
        members = [member for member in self.manifest.members if member.placed]
        folders = {self._root(member) / _STAGING for member in members}
        try:
            for folder in folders:
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir(parents=True)
            yield folders
        finally:
            for folder in folders:
                shutil.rmtree(folder, ignore_errors=True)

    def _require_room(self, new: list[Member], folders: set[Path]) -> None:
        for folder in folders:
            device = folder.stat().st_dev
            needed = sum(item.size for item in new if (self._root(item) / _STAGING).stat().st_dev == device)
            if needed > (free := shutil.disk_usage(folder).free):
                why = f"{human_bytes(needed)} are needed, {human_bytes(free)} are free"
                raise SurroundingsError("there is not enough room for the bundle", where=str(folder), why=why)

    def _verify(self, new: set[Member], ui: Ui) -> None:
        """Read every byte of the bundle; what is new, and all stack files, go to the staging folders, synced."""
        total = sum(member.size for member in self.manifest.members)
        with ui.transfer(f"verifying {len(self.manifest.members)} files", total) as transfer:
            for member, pieces in self._reader.members(self.manifest):
                if member not in new and not member.name.startswith("stacks/"):
                    for piece in pieces:
                        transfer.advance(len(piece))
                    continue
                staged = self._staged(member)
                staged.parent.mkdir(parents=True, exist_ok=True)
                with staged.open("xb") as out:
                    for piece in pieces:
                        out.write(piece)
                        transfer.advance(len(piece))
                    out.flush()
                    os.fsync(out.fileno())

    def _require_stacks(self) -> None:
        """The loader reads every stack of the bundle, or each `list` after the import would fail."""
        files = [member for member in self.manifest.members if member.name.startswith("stacks/")]
        folders = dict.fromkeys(self._root(member) / _STAGING for member in files)
        staged = Stacks(replace(self._settings, stacks=tuple(folders)))
        for name in self.manifest.stacks:
            try:
                staged.load(name)
            except InputError as error:
                why = f"{error.where.rpartition(f'{_STAGING}/')[2]}: {error.problem}".lstrip(": ")
                fix = "have the bundle made again by `make export`, and look at who made it"
                raise InputError(f"the bundle's stack {name} is none", where=self._where, why=why, fix=fix) from None

    def _require_locked(self) -> None:
        """The bundle's locks name every file to be placed, and the bundle or an earlier one has all they name."""
        named: set[Member] = set()
        for name in self.manifest.stacks:
            lock = read_any(self._staged(Member(name=f"stacks/{name}/stack.lock", size=0, sha256="")).parent)
            for item in lock.carried():
                named.add(Member(name=f"{item.folder}/{item.filename}", size=item.size, sha256=item.sha256))
        there = {item for item in (*self.manifest.members, *self.manifest.earlier) if item.placed}
        files = {item for item in there if not item.name.startswith("stacks/")}
        owners = {item.name.split("/")[1] for item in there - files} - {FAMILIES}
        if odd := sorted(item.name for item in files - named):
            raise InputError(f"the bundle brings {odd[0]}, which no lock in it names", where=self._where)
        if missing := sorted(item.name for item in named - files):
            raise InputError(f"the bundle lacks {missing[0]}, which a lock in it names", where=self._where)
        if odd := sorted(owners - set(self.manifest.stacks)):
            raise InputError(f"the bundle brings stacks/{odd[0]}, but does not say so", where=self._where)

    def _place(self, new: list[Member]) -> None:
        """Rename into place; stacks come last, so that one is seen only when its files are there."""
        folders = set()
        with undisturbed():
            for member in sorted(new, key=lambda item: (item.name.startswith("stacks/"), item.name)):
                path = self._path(member)
                path.parent.mkdir(parents=True, exist_ok=True)
                self._staged(member).replace(path)
                folders.add(path.parent)
        for folder in folders:
            sync_folder(folder)


def _is(path: Path, member: Member) -> bool:
    """Whether path is a plain file of the member's size and sha256."""
    if path.is_symlink() or not path.is_file() or path.stat().st_size != member.size:
        return False
    return sha256_of(path) == member.sha256


def _disk(error: OSError, home: Path) -> SurroundingsError:
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    problem = "the disk is full" if full else "a file or folder cannot be used"
    fix = "make room, then import again; nothing was placed" if full else "check its owner and rights"
    return SurroundingsError(problem, where=str(error.filename or home), why=error.strerror or "", fix=fix)
