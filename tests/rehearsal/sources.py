"""Real git repositories on this machine, served in the place of the addresses that a stack names, at its own commits.

MODELSTACKS_REHEARSAL_SOURCES names a folder of bare repositories: DIR/HOST/OWNER/NAME.git. A repository that has every
file of a commit is served as it is. Copies of big repositories often leave their biggest files out. Such a commit
cannot be transferred under its own hash: all its other files are served as a commit of their own, with those that are
missing empty, and each of them is named.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from builder.errors import InputError
from builder.net.submodules import submodules

SOURCES = "MODELSTACKS_REHEARSAL_SOURCES"
_WHO = {"NAME": "test", "EMAIL": "test@example.org", "DATE": "2000-01-01T00:00:00Z"}


@dataclass(frozen=True)
class Real:
    """A repository at one commit. served: the commit in its place, the same where it is whole. missing: its files."""

    address: str
    commit: str
    served: str
    missing: tuple[str, ...]

    def __str__(self) -> str:
        text = f"{self.address} at {self.commit[:8]}"
        return f"{text}, but for {', '.join(self.missing)}, which the copy here lacks" if self.missing else text


def folder() -> Path | None:
    """The folder of real repositories, None where none is named. Raises InputError where it is not there."""
    if not (named := os.environ.get(SOURCES)):
        return None
    if not Path(named).is_dir():
        raise InputError(f"{SOURCES} is {named}, which is no folder", fix="name one with HOST/OWNER/NAME.git in it")
    return Path(named).resolve()


def declared(stack: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Address and commit of each git source of a stack file, once each."""
    found = [*stack.get("sources", ()), *stack.get("extensions", ())]
    yield from dict.fromkeys((one["git"], one["commit"]) for one in found if "git" in one)


def serve(wanted: Iterable[tuple[str, str]], git: Path) -> list[Real]:
    """Put repositories, and those of their submodules at every depth, into git/HOST/OWNER/NAME.git.

    wanted: address and commit of those that are to be had; see `there`. Raises InputError where one lacks the commit,
    or a submodule's repository is not in the folder.
    """
    found, left = [], list(wanted)
    while left:
        address, commit = left.pop(0)
        source = _place(address)
        if not source or not source.is_dir():
            problem = f"{SOURCES} has no {address}"
            raise InputError(problem, why="a submodule of a source that it has", fix=f"put it at {source}")
        run = partial(_git, source)
        if subprocess.run(["git", "cat-file", "-e", f"{commit}^{{commit}}"], cwd=source, check=False).returncode:
            raise InputError(f"{source} has no commit {commit}", fix="bring one with its history")
        found.append(_served(source, address, commit, git))
        left += [(one.url, one.commit) for one in submodules(run, address, commit)]
    return found


def there(address: str) -> bool:
    """Whether the folder has the repository of an address."""
    place = _place(address)
    return place is not None and place.is_dir()


def _place(address: str) -> Path | None:
    root = folder()
    return root / f"{address.removeprefix('https://').removesuffix('.git')}.git" if root else None


def _served(source: Path, address: str, commit: str, git: Path) -> Real:
    """Link a repository into the mirror, or, where files of the commit are missing, one beside it with a new commit."""
    target = git / f"{address.removeprefix('https://').removesuffix('.git')}.git"
    target.parent.mkdir(parents=True, exist_ok=True)
    missing = _missing(source, commit)
    if not missing:
        if not target.exists():
            target.symlink_to(source)
        return Real(address, commit, commit, ())
    if target.is_symlink():
        target.unlink()
    if not target.exists():
        _git(git, "init", "--quiet", "--bare", str(target))
        (target / "objects" / "info" / "alternates").write_text(f"{source / 'objects'}\n")
    index = {"GIT_INDEX_FILE": str(target / "index-of-the-rest")}
    run = partial(_git, target, more=index)
    run("read-tree", commit)
    empty = run("hash-object", "-w", "-t", "blob", os.devnull)
    for path in missing:
        run("update-index", "--cacheinfo", f"100644,{empty},{path}")
    tree = run("write-tree", "--missing-ok")
    who = {f"GIT_{role}_{key}": text for role in ("AUTHOR", "COMMITTER") for key, text in _WHO.items()}
    served = _git(target, "commit-tree", tree, "-m", f"{commit} without {len(missing)} files", more=who)
    run("update-ref", f"refs/heads/{commit[:8]}", served)
    return Real(address, commit, served, missing)


def _missing(source: Path, commit: str) -> tuple[str, ...]:
    """The files of a commit whose content a repository lacks, by path."""
    words = ["rev-list", "--objects", "--no-walk", "--missing=print", commit]
    lost = {line[1:] for line in _git(source, *words).splitlines() if line.startswith("?")}
    rows = (row.partition("\t") for row in _git(source, "ls-tree", "-r", "-z", commit).split("\0") if row)
    return tuple(path for about, _, path in rows if about.split()[2] in lost)


def _git(where: Path, *words: str, more: Mapping[str, str] | None = None) -> str:
    environment = {**os.environ, "GIT_NO_LAZY_FETCH": "1", **(more or {})}
    safe = ["-c", "safe.directory=*"]
    done = subprocess.run(
        ["git", *safe, *words], cwd=where, env=environment, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()
