"""Small file helpers: nothing half-written, one writer at a time, hashes by streaming."""

from __future__ import annotations

import errno
import fcntl
import glob
import hashlib
import os
import shutil
import signal
import stat
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, cast

from builder.errors import SurroundingsError

_CHUNK = 1 << 20


def sha256_of(path: Path) -> str:
    """The sha256 of a file's bytes as 64 hex digits, read in 1 MiB pieces."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def sha256_text(text: str) -> str:
    """The sha256 of a text's UTF-8 bytes as 64 hex digits."""
    return hashlib.sha256(text.encode()).hexdigest()


def read_bounded(path: Path, limit: int) -> bytes:
    """The bytes of a regular file, or of what a link to one leads to.

    Raises OSError where it cannot be read, is of another kind (a fifo or device would hold the reader up for ever) or
    has more than `limit` bytes.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as stream:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "it is no regular file", str(path))
        data = stream.read(limit + 1)
    if len(data) > limit:
        raise OSError(errno.EFBIG, f"it is larger than {limit} bytes", str(path))
    return data


def write_atomic(path: Path, data: str | bytes, *, mode: int = 0o644) -> None:
    """Put data at path whole or not at all: written aside, synced, then renamed; the mode is this, whatever the umask.

    What killed runs left aside of the same path is removed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    for left in path.parent.glob(f".{glob.escape(path.name)}.????????.new"):
        _drop(left)
    with _aside(path) as (stream, aside):
        stream.write(data.encode() if isinstance(data, str) else data)
        stream.flush()
        os.fsync(stream.fileno())
        os.fchmod(stream.fileno(), mode)
        aside.replace(path)
    sync_folder(path.parent)


@contextmanager
def _aside(path: Path) -> Iterator[tuple[BinaryIO, Path]]:
    """A new file beside path, held while it is used, so that no other run takes it for a leftover; gone after an error.

    A run may be taken for killed between the making of its file and the holding: then it makes another one.
    """
    while True:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".new", dir=path.parent)
        with os.fdopen(handle, "wb") as stream:
            try:
                with suppress(OSError):  # a file system without locks: nobody removes what others left there
                    fcntl.flock(handle, fcntl.LOCK_EX)
                if not os.fstat(handle).st_nlink:
                    continue
                yield stream, Path(name)
            except BaseException:
                Path(name).unlink(missing_ok=True)
                raise
            return


def _drop(left: Path) -> None:
    """Remove a file that was written aside, unless a run holds it."""
    with suppress(OSError):
        handle = os.open(left, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            left.unlink()
        finally:
            os.close(handle)


@contextmanager
def undisturbed() -> Iterator[None]:
    """Finish several renames that belong together, though told to end (SIGTERM, SIGHUP, SIGINT): that waits till after.

    Nothing in the with block may wait for anything.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGHUP, signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def sync_folder(folder: Path) -> None:
    """Make renames inside a folder durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def same_file(source: Path, target: Path) -> None:
    """Make target the same bytes as source: a hard link where the file system allows, else a copy of the same date."""
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = target.with_name(f".{target.name}.{os.getpid()}.new")
    aside.unlink(missing_ok=True)
    try:
        aside.hardlink_to(source)
        aside.replace(target)
        aside.unlink(missing_ok=True)  # rename is a no-op where both are already one inode
    except OSError:
        aside.unlink(missing_ok=True)
        shutil.copy2(source, aside)
        with aside.open("rb") as stream:
            os.fsync(stream.fileno())
        aside.replace(target)


def own_folder(folder: Path) -> None:
    """Have a folder that is one itself. Raises SurroundingsError for a link, which would lead writes elsewhere."""
    folder.mkdir(parents=True, exist_ok=True)
    if folder.is_symlink():
        why = "what is written there would land where it leads"
        raise SurroundingsError("a folder of ours is a link", where=str(folder), why=why, fix="remove the link")


def only_own(path: Path) -> None:
    """Leave at path a plain file of this user's without a second name, or nothing; a link there is removed.

    Raises SurroundingsError for a folder.
    """
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    if stat.S_ISDIR(found.st_mode):
        raise SurroundingsError("a folder stands where a file belongs", where=str(path), fix="remove it")
    if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1 or found.st_uid != os.geteuid():
        path.unlink(missing_ok=True)


def open_own(path: Path) -> BinaryIO:
    """Open a file for reading and appending, unbuffered, made where it is not there; never through a link.

    Raises OSError (ELOOP) where a link came there meanwhile.
    """
    only_own(path)
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    return cast(BinaryIO, os.fdopen(os.open(path, flags, 0o666), "a+b", buffering=0))


def read_plain(path: Path, most: int) -> bytes:
    """The first bytes of a plain file, whoever has it. Raises OSError for a link, and for what is no plain file."""
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as stream:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "not a plain file", str(path))
        return stream.read(most)


@contextmanager
def held_folder(folder: Path, *, wait: bool = True) -> Iterator[bool]:
    """Hold a folder itself against other processes, whatever their home; gives whether it is held.

    It leaves no lock file, and ends with the process. wait: until others let it go.
    """
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    with _flocked(handle, wait=wait) as free:
        yield free


@contextmanager
def scratch(top: Path, prefix: str) -> Iterator[Path]:
    """A new folder below top, gone at the end. What killed runs left there is removed first; what others use stays."""
    own_folder(top)
    with ExitStack() as used:
        with held_folder(top):
            for path in top.iterdir():
                _sweep(path)
            folder = Path(used.enter_context(tempfile.TemporaryDirectory(prefix=prefix, dir=top)))
            used.enter_context(held_folder(folder))
        yield folder


def _sweep(path: Path) -> None:
    if path.is_symlink() or not path.is_dir():
        return
    with suppress(OSError), held_folder(path, wait=False) as free:
        if free:
            shutil.rmtree(path, ignore_errors=True)


@contextmanager
def held(path: Path, *, wait: bool = True) -> Iterator[bool]:
    """Hold an advisory lock file, shared between processes and threads; gives whether it is held.

    wait: until others let it go. The file stays. Raises OSError where it cannot be opened: ELOOP where it is a link.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o666)
    with _flocked(handle, wait=wait) as free:
        yield free


@contextmanager
def _flocked(handle: int, *, wait: bool) -> Iterator[bool]:
    """Hold an open file, and close it at the end; gives whether it is held. It is let go with the process, too."""
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(handle)
