"""Advisories that somebody downloaded: JSON of the OSV schema, in a file, a zip archive or a folder of them."""

from __future__ import annotations

import json
import zipfile
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from builder.audit.model import Advisory, Answer, Package
from builder.audit.osv import PYPI, Document
from builder.errors import InputError
from builder.zips import fault, opened

_MOST = 16 << 20  # bytes of one advisory, or of a list of them; the longest seen has 0.5 MB
_FIX = "download them anew: JSON of the OSV schema, one file or the zip archive of the ecosystem (docs/audit.md)"


@dataclass(frozen=True)
class Advisories:
    """count: of Python packages at all. newest: when the youngest was changed. by_name: those asked for."""

    count: int
    newest: str
    by_name: dict[str, list[Document]]

    def answer(self, package: Package) -> Answer:
        """What they say of a package."""
        found = (one.about(package) for one in self.by_name.get(package.name, []))
        said: list[Advisory] = [one for one in found if one]
        return said


def read(path: Path, names: Iterable[str]) -> Advisories:
    """Those of the packages of these names. Raises InputError for what is damaged, of another form, or holds none."""
    wanted, by_name = set(names), defaultdict(list)
    count, newest = 0, ""
    for where, data in _files(path):
        if PYPI.encode() not in data:  # of another ecosystem: most are
            continue
        for one in _documents(where, data):
            named = {name for name, _ in one.projects()}
            if not named:
                continue
            count, newest = count + 1, max(newest, one.modified[:10])
            for name in named & wanted:
                by_name[name].append(one)
    if not count:
        raise InputError("there is no advisory of a Python package", where=str(path), fix=_FIX)
    return Advisories(count, newest, dict(by_name))


def _files(path: Path) -> Iterator[tuple[str, bytes]]:
    """Each JSON file with where it is."""
    found = sorted(one for one in path.rglob("*") if one.suffix in (".json", ".zip")) if path.is_dir() else [path]
    for one in found:
        if not one.is_file():
            continue
        if one.suffix != ".json" and zipfile.is_zipfile(one):
            yield from _packed(one)
        elif one.stat().st_size > _MOST:
            raise InputError("it is too long for an advisory", where=str(one), fix=_FIX)
        else:
            yield str(one), one.read_bytes()


def _packed(path: Path) -> Iterator[tuple[str, bytes]]:
    try:
        with opened(path) as archive:
            for info in archive.infolist():
                where = f"{path}:{info.filename[:200]}"
                if not info.filename.endswith(".json"):
                    continue
                problem, why = fault(archive, info)
                if problem or info.file_size > _MOST:
                    raise InputError(
                        f"a file {problem or 'is too long for an advisory'}", where=where, why=why, fix=_FIX
                    )
                yield where, archive.read(info)
    except zipfile.BadZipFile as error:
        raise InputError("the archive is damaged", where=str(path), why=str(error), fix=_FIX) from None


def _documents(where: str, data: bytes) -> list[Document]:
    """One advisory, or a list of them as OSV's API answers with (`vulns`)."""
    try:
        value: Any = json.loads(data)
        rows = value.get("vulns", [value]) if isinstance(value, dict) else value
        found = [Document.model_validate(row) for row in rows]
    except (ValueError, TypeError, RecursionError) as error:
        why = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
        raise InputError("it is no advisory of the OSV schema", where=where, why=why, fix=_FIX) from None
    for one in found:
        if one.schema_version.partition(".")[0] != "1":
            problem = f"it is of version {one.schema_version[:20]} of the OSV schema, not 1"
            raise InputError(problem, where=where, fix=_FIX)
    return found
