"""What an sdist says of its requirements in the files that it carries, read without running its build script."""

from __future__ import annotations

import io
import re
import tarfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
from email.parser import HeaderParser
from pathlib import Path

import tomli_w
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import InvalidSdistFilename, canonicalize_name, parse_sdist_filename
from packaging.version import InvalidVersion

from builder.errors import ModelstacksError
from builder.net.index import default_index, links
from builder.net.session import Cut, Session
from builder.settings import Settings

_LARGEST, _MEMBER, _MEMBERS = 64 << 20, 1 << 20, 20_000
_NONE = r"ha(?:s|ve) no (?:usable )?wheels"
_LACKING = re.compile(rf"([A-Za-z0-9][A-Za-z0-9._-]*)(?:==([^\s,{{}}<>]+)|[<>=!]\S*)? {_NONE}")
_LACKING_ALL = re.compile(rf"versions? of ([A-Za-z0-9][A-Za-z0-9._-]*)(?:[<>=!{{]\S*)? {_NONE}")
_HINTED = re.compile(r"Wheels are required for `([A-Za-z0-9._-]+)`")


def lacking(said: str) -> dict[str, str]:
    """The projects that uv says have no wheel to use, and the version where one is meant, else ""."""
    found = {
        str(canonicalize_name(one[1])): "" for pattern in (_LACKING_ALL, _HINTED) for one in pattern.finditer(said)
    }
    return {**found, **{str(canonicalize_name(one[1])): one[2] or "" for one in _LACKING.finditer(said)}}


def requirements(project: str, version: str, session: Session, settings: Settings) -> tuple[str, ...]:
    """What the sdist of a version (the newest, for "") asks for by its PKG-INFO or egg-info; nothing where that is not
    to be had, so that a resolution goes on without it."""
    with suppress(ModelstacksError, Cut, tarfile.TarError, OSError, EOFError, ValueError):
        found = {}
        for link in links(session, default_index(settings), project).values():
            with suppress(InvalidSdistFilename, InvalidVersion):
                found[parse_sdist_filename(link.filename)[1]] = link.url
        wanted = [one for one in found if not version or str(one) == version]
        if wanted and (url := found[max(wanted)]).endswith((".tar.gz", ".tgz", ".tar.bz2")):
            return _stated(_downloaded(url, session))
    return ()


def _downloaded(url: str, session: Session) -> bytes:
    data = bytearray()
    with session.stream(url) as body:
        for piece in body.chunks:
            data += piece
            if len(data) > _LARGEST:
                raise ValueError("too large to be read for its metadata")
    return bytes(data)


def _stated(data: bytes) -> tuple[str, ...]:
    """The requirements in an archive's own files, those without extras."""
    info = ""
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        for number, one in enumerate(archive):
            if number > _MEMBERS:
                break
            if not one.isfile() or one.size > _MEMBER:
                continue
            named = one.name.endswith(".egg-info/requires.txt")
            if named or (one.name.count("/") == 1 and one.name.endswith("/PKG-INFO")):
                stream = archive.extractfile(one)
                text = stream.read().decode("utf-8", errors="replace") if stream else ""
                if named:
                    return _valid(re.split(r"(?m)^\[", text)[0].splitlines())
                info = text
    return _valid(HeaderParser().parsestr(info).get_all("Requires-Dist") or ())


def _valid(lines: Iterable[str]) -> tuple[str, ...]:
    found = []
    for line in lines:
        with suppress(InvalidRequirement):
            parsed = Requirement(line.strip())
            if not parsed.url and "extra" not in str(parsed.marker or ""):
                found.append(str(parsed))
    return tuple(found)


def write(assumed: Mapping[str, tuple[str, ...]], path: Path) -> None:
    """A configuration of uv by which it takes these requirements for those of every version of the projects."""
    rows = [{"name": name, "requires-dist": list(requires)} for name, requires in assumed.items()]
    path.write_text(tomli_w.dumps({"dependency-metadata": rows}))
