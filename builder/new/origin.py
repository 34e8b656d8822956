"""Where a folder was cloned from, read from .git without running git in it, as its configuration may run programs."""

from __future__ import annotations

import configparser
import re
from pathlib import Path

from builder.files import read_bounded


def origin(folder: Path) -> tuple[str, str]:
    """The https address and the commit of a clone's `origin`; two "" where they cannot be told."""
    git = folder / ".git"
    parser = configparser.RawConfigParser(strict=False)
    try:
        if git.is_symlink():
            return "", ""
        parser.read_string(re.sub(r"(?m)^\s+", "", _text(git / "config")))
        url = re.sub(r"\.git$", "", parser.get('remote "origin"', "url", fallback=""))
        commit = _commit(git)
    except (OSError, configparser.Error):
        return "", ""
    plain = re.fullmatch(r"https://[A-Za-z0-9.-]+(/[A-Za-z0-9._-]+)+", url)
    return (url, commit) if plain and re.fullmatch(r"[0-9a-f]{40}", commit) else ("", "")


def _text(path: Path) -> str:
    return read_bounded(path, 1 << 20).decode("utf-8", errors="replace")


def _commit(git: Path) -> str:
    head = _text(git / "HEAD").strip()
    if not (ref := re.fullmatch(r"ref: (refs/[A-Za-z0-9._/-]+)", head)) or ".." in head:
        return head
    if (git / ref[1]).is_file():
        return _text(git / ref[1]).strip()
    packed = re.search(rf"(?m)^([0-9a-f]{{40}}) {re.escape(ref[1])}$", _text(git / "packed-refs"))
    return packed[1] if packed else ""
