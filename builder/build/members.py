"""What a wheel may hold: files of its own project, each once, at places inside of the environment it is installed to.

uv leaves members that climb out of the environment away without a word, and takes some others as they come: the image
would not be what the lock names. So each wheel's list is looked at first, which costs no unpacking.
"""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from packaging.utils import canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from builder import zips
from builder.errors import InputError

_OWN = re.compile(r"([^/]+)\.(dist-info|data)/")
# What makes the environment what it is: no package brings these.
_ENVIRONMENT = re.compile(r"[^/]+\.data/(data/(pyvenv\.cfg|bin/(python|activate)[^/]*)|scripts/(python|activate)[^/]*)")


def refuse(wheels: Iterable[Path]) -> None:
    """Raise InputError, which names wheel and member, for the first that holds what it may not.

    One that is no zip file is left to the installer, which holds it to its sha256.
    """
    for wheel in wheels:
        try:
            with zips.opened(wheel) as archive:
                fault = next(_faults(archive, wheel.name), "")
        except (OSError, zipfile.BadZipFile):
            continue
        if fault:
            fix = "name another version, or an index that has an honest one, and run `make lock`"
            raise InputError(f"{wheel.name} is no proper wheel", where=str(wheel), why=fault, fix=fix)


def _faults(archive: zipfile.ZipFile, filename: str) -> Iterator[str]:
    members = archive.infolist()
    counted = Counter(info.filename.rstrip("/") for info in members)
    yield from (f"it holds {name[:200]!r} more than once" for name, count in counted.items() if count > 1)
    for info in members:
        name = info.filename
        if _leads_out(name):
            yield f"{name[:200]!r} leads out of the folder that it is installed to"
        if not info.is_dir() and (problem := zips.fault(archive, info)[0]):
            yield f"{name[:200]!r} {problem}"
        if _ENVIRONMENT.fullmatch(name):
            yield f"{name[:200]!r} would replace a file of the environment itself"
    folders = {found[0]: found[1] for name in counted if (found := _OWN.match(f"{name}/"))}
    strange = sorted(place for place, stem in folders.items() if not _is(stem, filename))
    yield from (f"it holds {place[:200]!r}, which is of another project or version" for place in strange)
    for name in (name for name in counted if re.fullmatch(r"[^/]+\.dist-info/RECORD", name)):
        rows = csv.reader(io.StringIO(zips.read(archive, name).decode("utf-8", "replace")))
        yield from (f"its RECORD names {row[0][:200]!r}, outside of it" for row in rows if row and _leads_out(row[0]))


def _leads_out(name: str) -> bool:
    parts = name.removesuffix("/").split("/")
    return bool(re.search(r"[\x00-\x1f\x7f]", name)) or any(part in ("", ".", "..") for part in parts)


def _is(stem: str, filename: str) -> bool:
    """Whether NAME-VERSION of a folder in a wheel is what its file name says."""
    project, version, _, _ = parse_wheel_filename(filename)
    name, _, number = stem.rpartition("-")
    try:
        return canonicalize_name(name) == project and Version(number) == version
    except InvalidVersion:
        return False
