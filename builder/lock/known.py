"""Wheels that are publicly known: what they require and, where somebody told it, their sha256.

They stand in for an index that cannot be reached, so that the rest of a stack is resolved beside them.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from packaging.utils import parse_wheel_filename
from typing_extensions import NotRequired, TypedDict

from builder.facts import rows

_DATES = (1980, 1, 1, 0, 0, 0)  # the first that zip can hold


class Row(TypedDict):
    """A wheel as the file has it; unverified: nobody has read its requirements in the wheel."""

    file: str
    requires: tuple[str, ...]
    source: str
    sha256: NotRequired[str]
    unverified: NotRequired[bool]


@dataclass(frozen=True, kw_only=True)
class Known:
    """One wheel. requires: as its METADATA has it (PEP 508). sha256: "" where no source tells it."""

    file: str
    requires: tuple[str, ...]
    sha256: str
    source: str

    @property
    def project(self) -> str:
        """Its canonical project name."""
        return str(parse_wheel_filename(self.file)[0])


@functools.cache
def known() -> tuple[Known, ...]:
    """Every row of known.yaml."""
    found = rows(Path(__file__).parent / "known.yaml", Row)
    return tuple(
        Known(file=row["file"], requires=row["requires"], sha256=row.get("sha256", ""), source=row["source"])
        for row in found
    )


def write_stand_ins(projects: Iterable[str], folder: Path) -> None:
    """Write a wheel without content for each known file of these projects, for a resolver to read."""
    folder.mkdir()
    wanted = set(projects)
    for one in known():
        if one.project in wanted:
            _write(one, folder / one.file)


def _write(one: Known, path: Path) -> None:
    _, version, _, tags = parse_wheel_filename(one.file)
    info = f"{'-'.join(one.file.split('-')[:2])}.dist-info"
    requires = "".join(f"Requires-Dist: {item}\n" for item in one.requires)
    wheel = "".join(f"Tag: {tag}\n" for tag in sorted(map(str, tags)))
    files = {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {one.project}\nVersion: {version}\n{requires}",
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: modelstacks\nRoot-Is-Purelib: false\n{wheel}",
    }
    record = "".join(f"{name},{_digest(text)},{len(text)}\n" for name, text in files.items())
    files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(zipfile.ZipInfo(name, _DATES), text)


def _digest(text: str) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
    return f"sha256={digest}"
