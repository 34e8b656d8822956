"""Two wheels that install one path with other bytes: the one written last wins, and which that is changes by run."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Iterable
from pathlib import Path

from builder import zips
from builder.errors import InputError

_RECORD = re.compile(r"[^/]+\.dist-info/RECORD")
_FEW = 3


def refuse(wheels: Iterable[Path]) -> None:
    """Raise InputError, which names both, where two wheels hold a path with other bytes, as their RECORDs have it.

    The same bytes twice (an empty __init__.py) are no harm. Wheels of one file alone, or without a RECORD that can be
    read, are left to the installer, which refuses them.
    """
    held: dict[str, tuple[str, str]] = {}
    for wheel in wheels:
        clash = []
        for path, digest in _recorded(wheel):
            first, before = held.setdefault(path, (wheel.name, digest))
            if before != digest:
                clash.append((path, first))
        if clash:
            paths, others = [path for path, _ in clash], sorted({other for _, other in clash})
            more = f" and {len(paths) - _FEW} more" if len(paths) > _FEW else ""
            raise InputError(
                f"{wheel.name} and {', '.join(others)} install the same paths with other bytes",
                why=f"{', '.join(paths[:_FEW])}{more}: the one written last wins, no installer says so, "
                "and to remove one removes both",
                fix="keep one of them, or make two stacks",
            )


def _recorded(wheel: Path) -> list[tuple[str, str]]:
    """Path and hash of each file that a wheel says it installs, but for its own metadata."""
    try:
        with zips.opened(wheel) as archive:
            names = [name for name in archive.namelist() if _RECORD.fullmatch(name)]
            text = zips.read(archive, names[0]).decode() if len(names) == 1 else ""
            there = {info.filename: f"{info.CRC:08x} of {info.file_size}" for info in archive.infolist()}
    except (OSError, zipfile.BadZipFile, UnicodeDecodeError):
        return []
    rows = {row[0]: row[1] for row in csv.reader(io.StringIO(text)) if len(row) >= 2 and row[1]}
    # What a RECORD is silent about is installed all the same.
    silent = {name: digest for name, digest in there.items() if rows and name not in rows and not name.endswith("/")}
    return [(name, digest) for name, digest in {**rows, **silent}.items() if ".dist-info/" not in name]
