"""One file out of a zip archive, which may be hostile: read by its listed name, written to a place of ours only."""

from __future__ import annotations

import os
import shutil
import zipfile
from pathlib import Path

from builder import zips
from builder.errors import JobError, SurroundingsError


def unpack(archive: Path, path: str, target: Path) -> None:
    """Write the file that the archive lists as path to target, synced.

    Raises JobError where the archive is no zip, does not list path exactly once, or lists what is no plain
    file, is encrypted, damaged or a bomb; SurroundingsError where the disk has no room. target is then removed.
    """
    try:
        with zips.opened(archive) as opened:
            info = _plain(opened, archive, path)
            if info.file_size > shutil.disk_usage(target.parent).free:
                why = f"{path} has {info.file_size} bytes"
                raise SurroundingsError("there is not enough room on the disk", where=str(target.parent), why=why)
            with opened.open(info) as source, target.open("wb") as out:
                shutil.copyfileobj(source, out, 1 << 20)
                out.flush()
                os.fsync(out.fileno())
            if (size := target.stat().st_size) != info.file_size:
                raise _refused(archive, "the archive cannot be unpacked", f"{path} has {size} bytes, not as listed")
    except zipfile.BadZipFile as error:
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
    problem, why = zips.fault(opened, info)
    if problem:
        raise _refused(archive, f"{path} {problem}", why)
    return info


def _refused(archive: Path, problem: str, why: str) -> JobError:
    fix = "correct `member` in the stack, or find out what the archive is"
    return JobError(problem, where=str(archive), why=why, fix=fix)
