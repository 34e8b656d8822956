"""Which files changed since a revision, by git."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from builder.errors import InputError, SurroundingsError

_REVISION = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_./@{}~^+-]{0,199}")
_NOTHING = re.compile(r"0{40}|0{64}")  # what both forges name as the revision before a branch's first push


def changed(folders: list[Path], since: str) -> set[Path] | None:
    """Every file that differs from a revision, in the repositories of these folders, committed or not, new ones too.

    None where there is nothing to compare with. Raises InputError where git knows no such revision,
    SurroundingsError without git.
    """
    if not since or _NOTHING.fullmatch(since):
        return None
    if not _REVISION.fullmatch(since):
        raise InputError(f"{since[:100]!r} is no revision", fix="name a commit, a branch or a tag: SINCE=origin/main")
    found: set[Path] = set()
    tops = {top for folder in folders if (top := _top(folder))}
    if not tops:
        raise InputError("no folder of stacks lies in a git repository", fix="run it in a clone")
    known = False
    for top in sorted(tops):
        commit = _git(top, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{since}^{{commit}}").strip()
        if not commit:
            continue
        known = True
        names = _git(top, "diff", "--name-only", "--no-renames", "--no-ext-diff", "-z", commit, "--")
        names += _git(top, "ls-files", "--others", "--exclude-standard", "-z")
        found |= {top / name for name in names.split("\0") if name}
    if not known:
        fix = "fetch it: a shallow clone lacks history (fetch-depth: 0, GIT_DEPTH: 0)"
        raise InputError(f"git knows no revision {since}", where=str(min(tops)), fix=fix)
    return found


def _top(folder: Path) -> Path | None:
    found = _git(folder, "rev-parse", "--show-toplevel").strip() if folder.is_dir() else ""
    return Path(found) if found else None


def _git(folder: Path, *words: str) -> str:
    try:
        done = subprocess.run(["git", "-C", str(folder), *words], capture_output=True, check=False)
    except FileNotFoundError:
        raise SurroundingsError("git is not installed", fix="install git") from None
    said = done.stderr.decode(errors="replace")
    if done.returncode and "dubious ownership" in said:
        fix = f"git config --global --add safe.directory {folder}"
        raise SurroundingsError(
            "git does not trust this folder", where=str(folder), why="another user owns it", fix=fix
        )
    return done.stdout.decode(errors="surrogateescape") if done.returncode == 0 else ""
