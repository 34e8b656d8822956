"""One file out of a zip archive, which may be hostile: read by its listed name, written to a place of ours only."""

from __future__ import annotations

import os
import shutil
import stat
import zipfile
import zlib
from pathlib import Path

from builder.errors import JobError, SurroundingsError

# Weights hardly shrink; what is more than this many times its packed size, and large, is made to fill a disk.
_MAX_RATIO, _SMALL = 100, 100 << 20


def unpack(archive: Path, path: str, target: Path) -> None:
    """Write the file that the archive lists as path to target, synced.

    Raises JobError where the archive is no zip, does not list path exactly once, or lists what is no plain
    file, is encrypted, damaged or a bomb; SurroundingsError where the disk has no room. target is then removed.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            info = _plain(opened, archive, path)
            if info.file_size > shutil.disk_usage(target.parent).free:
                why = f"{path} has {info.file_size} bytes"
                raise SurroundingsError("there is not enough room on the disk", where=str(target.parent), why=why)
            with opened.open(info) as source, target.open("wb") as out:
                shutil.copyfileobj(source, out, 1 << 20)
                out.flush()
                os.fsync(out.fileno())
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        target.unlink(missing_ok=True)
        raise _refused(archive, "the archive cannot be unpacked", str(error)) from None
    except BaseException:
        target.unlink(missing_ok=True)
        raise


def _plain(opened: zipfile.ZipFile, archive: Path, path: str) -> zipfile.ZipInfo:
    found = [info for info in opened.infolist() if info.filename == path]
    if len(found) != 1:
        listed = ", ".join(sorted(info.filename for info in opened.infolist())[:10])
        problem = f"the archive lists {path} {'twice' if found else 'nowhere'}"
        raise _refused(archive, problem, f"it lists {listed}")
    info = found[0]
    mode = info.external_attr >> 16
    if info.is_dir() or (mode and not stat.S_ISREG(mode) and stat.S_IFMT(mode)):
        raise _refused(archive, f"{path} is no plain file in the archive", "it is a folder, a link or a device")
    if info.flag_bits & 1:
        raise _refused(archive, f"{path} is encrypted in the archive", "")
    if info.file_size > _SMALL and info.file_size > _MAX_RATIO * max(info.compress_size, 1):
        why = f"{info.compress_size} bytes that unpack to {info.file_size}"
        raise _refused(archive, f"{path} in the archive is a zip bomb", why)
    return info


def _refused(archive: Path, problem: str, why: str) -> JobError:
    fix = "correct `member` in the stack, or find out what the archive is"
    return JobError(problem, where=str(archive), why=why, fix=fix)
