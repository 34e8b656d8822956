"""The archive of a distribution: the mirror that the site's settings or the host's apt give for it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from builder.errors import SurroundingsError
from builder.settings import Settings


def archive(settings: Settings, distribution: str, *, root: Path = Path("/")) -> str:
    """The address of a mirror of "debian" or "ubuntu", without a slash at its end.

    In this order: settings.mirrors; the host's apt sources whose path ends in /DISTRIBUTION, main ones
    only; the mirror that debootstrap has built in. root: the host's file system.
    Raises SurroundingsError where none of them knows one.
    """
    if given := settings.mirrors.get(distribution):
        return given.rstrip("/")
    if distribution == "debian-security":
        # Every Debian mirror network keeps the two archives side by side.
        return archive(settings, "debian", root=root).removesuffix("/debian") + "/debian-security"
    for uri in (*_apt_uris(root / "etc/apt"), *_debootstrap(root)):
        parts = urlsplit(uri)
        if parts.scheme in ("http", "https") and parts.path.rstrip("/").endswith(f"/{distribution}"):
            return uri.rstrip("/")
    raise SurroundingsError(
        f"no mirror of {distribution} is known here",
        why="neither the settings, nor the host's apt sources, nor debootstrap name one",
        fix=f"export MODELSTACKS_{distribution.upper()}_MIRROR=https://HOST/{distribution}",
    )


def _apt_uris(folder: Path) -> Iterator[str]:
    """Addresses of binary package sources, in apt's own order of files."""
    parts = folder / "sources.list.d"
    files = [folder / "sources.list", *(sorted(parts.iterdir()) if parts.is_dir() else [])]
    for file in files:
        if not file.is_file() or file.suffix not in (".list", ".sources"):
            continue
        text = file.read_text(encoding="utf-8", errors="replace")
        yield from _deb822(text) if file.suffix == ".sources" else _one_line(text)


def _one_line(text: str) -> Iterator[str]:
    for line in text.splitlines():
        found = re.match(r"\s*deb\s+(?:\[[^\]]*\]\s*)?(\S+)\s+(\S+)", line)
        if found and "security" not in found[2]:
            yield found[1]


def _deb822(text: str) -> Iterator[str]:
    """Addresses of the stanzas that give binary packages, are enabled and are not for security only."""
    lines = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    for stanza in re.split(r"\n\s*\n", lines):
        unfolded = re.sub(r"\n[ \t]+", " ", stanza)
        fields = {
            key.strip().lower(): value.split()
            for key, colon, value in (line.partition(":") for line in unfolded.splitlines())
            if colon
        }
        enabled = fields.get("enabled", ["yes"])[:1] != ["no"]
        suites = fields.get("suites", [])
        if enabled and "deb" in fields.get("types", []) and any("security" not in suite for suite in suites):
            yield from fields.get("uris", [])


def _debootstrap(root: Path) -> Iterator[str]:
    """The `default_mirror` addresses in debootstrap's scripts."""
    folder = root / "usr/share/debootstrap/scripts"
    for script in sorted(folder.iterdir()) if folder.is_dir() else []:
        if script.is_file():
            text = script.read_text(encoding="utf-8", errors="replace")
            yield from re.findall(r"^\s*default_mirror\s+[\"']?(https?://[^\s\"']+)", text, re.MULTILINE)
