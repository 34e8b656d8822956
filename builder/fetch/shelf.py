"""The place of one artifact on disk: its name checked, its stamp, its partial file, its lock."""

from __future__ import annotations

import hashlib
import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from builder.errors import InputError
from builder.files import held, only_own, open_own, own_folder, read_plain, sha256_text
from builder.lock.model import Artifact
from builder.net import Stopped
from builder.settings import Settings
from builder.spec.parts import hash_prefix

_PIECE = 1 << 20
_STAMP = 4096  # bytes of a stamp; it holds a name, a size and a time


class Shelf:
    """Where an artifact lies: `path` at the end, `part` while it comes, a stamp once it is verified.

    Raises InputError for a file name that is not a plain one, and for a size or sha256 that is none.
    """

    def __init__(self, settings: Settings, artifact: Artifact) -> None:
        _check(artifact)
        key = artifact.sha256 or sha256_text(str(artifact.origin))
        self.artifact = artifact
        self.folder = settings.home / artifact.folder
        self.path = self.folder / artifact.filename
        self.part = self.folder / ".partial" / f"{key}.part"
        self._stamp = self.folder / ".verified" / key

    def stamped(self) -> bool:
        """Whether the file was verified and has neither changed size nor time since; costs two small reads."""
        try:
            return read_plain(self._stamp, _STAMP) == self._state().encode()
        except OSError:
            return False

    def stamp(self) -> None:
        """Note that the file as it is now has been verified; a note torn by a crash only costs a hash."""
        own_folder(self._stamp.parent)
        with open_own(self._stamp) as stream:
            stream.truncate(0)
            stream.write(self._state().encode())

    def _state(self) -> str:
        stat = self.path.lstat()
        return f"{self.artifact.filename} {stat.st_size} {stat.st_mtime_ns}"

    def right(self, stopping: threading.Event) -> bool:
        """Whether the file is a plain one with the locked size and sha256, by hashing it."""
        if self.path.is_symlink() or not self.path.is_file() or not self._sized():
            return False
        digest = hashlib.sha256()
        with self.path.open("rb") as stream:
            while piece := stream.read(_PIECE):
                if stopping.is_set():
                    raise Stopped
                digest.update(piece)
        return digest.hexdigest() == self.artifact.sha256

    def _sized(self) -> bool:
        """Whether the file is as large as locked; the size of a member may not be known yet."""
        unknown = self.artifact.size == 0 and self.artifact.origin.scheme == "member"
        return unknown or self.path.stat().st_size == self.artifact.size

    def set_aside(self) -> str:
        """Move the file to .set-aside/FILENAME.N and give back that path, relative to the home folder."""
        aside = self.folder / ".set-aside"
        own_folder(aside)
        number = 1
        while os.path.lexists(target := aside / f"{self.artifact.filename}.{number}"):
            number += 1
        self.path.rename(target)
        self._stamp.unlink(missing_ok=True)
        return f"{self.artifact.folder}/.set-aside/{target.name}"

    def partial(self) -> int:
        """Bytes of the artifact that came before, 0 if none."""
        try:
            return min(self.part.lstat().st_size, self.artifact.size)
        except OSError:
            return 0

    @contextmanager
    def held(self, stopping: threading.Event) -> Iterator[None]:
        """Hold the artifact against other runs, its part a plain file of ours or none; waits for them.

        Raises Stopped when told to stop, SurroundingsError where a link or folder is in the way.
        """
        own_folder(self.part.parent)
        while not stopping.is_set():
            with held(self.part.with_suffix(".lock"), wait=False) as free:
                if free:
                    only_own(self.part)
                    yield
                    return
            stopping.wait(0.2)
        raise Stopped


def _check(artifact: Artifact) -> None:
    name = artifact.filename
    if not re.fullmatch(r"[^\x00-\x1f\x7f/\\]{1,200}", name) or name.startswith(".") or ".." in name:
        raise InputError(
            f"the lock names a file {name!r}, which is not a plain file name",
            why="a file name may hold no '/', '\\', '..' or control character, nor begin with a dot",
            fix="run `make lock`, and find out who changed the lock",
        )
    if not re.fullmatch(r"[0-9a-f]{64}|", artifact.sha256) or artifact.size < 0:
        raise InputError(f"the lock gives {name} a sha256 or size that is none", fix="run `make lock`")
    prefix = hash_prefix(artifact.project) if artifact.kind in ("weight", "archive") else ""
    if artifact.sha256 and not artifact.sha256.startswith(prefix):
        raise InputError(
            f"{artifact.project} says that its sha256 begins with {prefix}, but the lock has {artifact.sha256}",
            where=str(artifact.origin),
            why="torch.hub names files by the first digits of their sha256",
            fix="correct the sha256 or the address in the stack and run `make lock`",
        )
