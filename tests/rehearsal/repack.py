"""Wheels of the default index under another release's name: stand-ins for those of an index that cannot be reached.

What they hold is compiled by others and stays as it is, but for the version that they tell and what they require.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import re
import struct
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from builder.fetch import fetch
from builder.lock.model import Artifact
from builder.net.index import Link, default_index, links
from builder.net.session import Session
from builder.origin import Origin
from builder.settings import Settings
from builder.ui import Ui

_PIECE = 1 << 20


@dataclass(frozen=True)
class StandIn:
    """A release of the default index, and the one that it stands for. requires: other versions for what it pins."""

    project: str
    version: str
    named: str
    requires: Mapping[str, str]


def repacked(standins: Iterable[StandIn], python: str, settings: Settings, out: Path) -> list[Path]:
    """Fetch each stand-in's wheel for a Python (cp38) and write it under its new name into out."""
    wanted = list(standins)
    with Session(settings) as session:
        found = [_artifact(one, python, settings, session) for one in wanted]
    fetch(found, {}, settings, Ui())
    out.mkdir(parents=True, exist_ok=True)
    made = []
    for one, item in zip(wanted, found, strict=True):
        wheel = settings.wheels / item.filename
        made.append(_renamed(wheel, one, out))
        wheel.unlink()
    return made


def _artifact(one: StandIn, python: str, settings: Settings, session: Session) -> Artifact:
    fits = re.compile(rf"{re.escape(one.project)}-{re.escape(one.version)}-{python}-{python}-manylinux.*x86_64\.whl")
    link: Link = next(
        link
        for link in links(session, default_index(settings), one.project).values()
        if fits.fullmatch(link.filename) and link.sha256
    )
    return Artifact(
        kind="wheel",
        filename=link.filename,
        size=link.size or session.size_of(link.url),
        sha256=str(link.sha256),
        origin=Origin.parse("index:default"),
        project=one.project,
        version=one.version,
    )


def _renamed(wheel: Path, one: StandIn, out: Path) -> Path:
    """Copy a wheel's members, compressed as they are; those that tell the version are written anew."""
    before, after = f"{one.project}-{one.version}.dist-info/", f"{one.project}-{one.named}.dist-info/"
    path = out / f"{one.project}-{one.named}-{wheel.name.split('-', 2)[2]}"
    rows: list[list[str]] = []
    with zipfile.ZipFile(wheel) as source, path.open("wb") as raw, zipfile.ZipFile(raw, "w") as target:
        for item in source.infolist():
            name = item.filename.replace(before, after, 1) if item.filename.startswith(before) else item.filename
            if name in (f"{after}RECORD", f"{after}RECORD.jws"):
                continue
            if name in (f"{after}METADATA", f"{one.project}/version.py"):
                data = _told(source.read(item).decode(), name, one).encode()
                target.writestr(name, data, zipfile.ZIP_DEFLATED)
                rows.append([name, _digest(data), str(len(data))])
            else:
                _copied(source, item, name, target)
        with source.open(f"{before}RECORD") as stream:
            new = {row[0] for row in rows}
            for row in csv.reader(io.TextIOWrapper(stream)):
                name = row[0].replace(before, after, 1)
                if name not in new and not name.endswith(("/RECORD", "/RECORD.jws")):
                    rows.append([name, *row[1:]])
        rows.append([f"{after}RECORD", "", ""])
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(rows)
        target.writestr(f"{after}RECORD", text.getvalue())
    return path


def _told(text: str, name: str, one: StandIn) -> str:
    if name.endswith("METADATA"):
        text = re.sub(r"^Version: .*$", f"Version: {one.named}", text, count=1, flags=re.M)
        for project, version in one.requires.items():
            text, count = re.subn(
                rf"^(Requires-Dist: {project} ?)\(?==[^;)\s]*\)?", rf"\1=={version}", text, count=1, flags=re.M
            )
            assert count, f"{one.project} {one.version} requires no {project}"
        return text
    return re.sub(r"^(__version__ = )['\"].*['\"]", rf"\1'{one.named}'", text, count=1, flags=re.M)


def _copied(source: zipfile.ZipFile, item: zipfile.ZipInfo, name: str, target: zipfile.ZipFile) -> None:
    """One member, byte for byte as it is compressed; gigabytes need no second compression."""
    read, write = source.fp, target.fp
    assert read and write
    read.seek(item.header_offset)
    lengths = struct.unpack("<26xHH", read.read(30))
    read.seek(item.header_offset + 30 + sum(lengths))
    new = zipfile.ZipInfo(name, item.date_time)
    new.compress_type, new.external_attr, new.CRC = item.compress_type, item.external_attr, item.CRC
    new.compress_size, new.file_size, new.header_offset = item.compress_size, item.file_size, write.tell()
    write.write(new.FileHeader(zip64=max(item.file_size, item.compress_size) >= zipfile.ZIP64_LIMIT))
    left = item.compress_size
    while left and (piece := read.read(min(left, _PIECE))):
        write.write(piece)
        left -= len(piece)
    target.filelist.append(new)
    target.NameToInfo[name] = new
    target.start_dir = write.tell()


def _digest(data: bytes) -> str:
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
