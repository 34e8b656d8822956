"""The submodules of a commit, read from its tree and its .gitmodules, which may be hostile. No network here."""

from __future__ import annotations

import os
import re
import tarfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from builder.errors import JobError
from builder.net.urls import clean_url

LIMIT = 200  # of one source, all levels together; a hostile server could go on for ever
_BLOCK = 512  # bytes, the unit of a tar
_NEVER = ("", ".", "..", ".git", "git~1")  # as git's verify_path has it, in any case


@dataclass(frozen=True, kw_only=True)
class Submodule:
    """path: where it stands in the tree. url: https address. commit: as the tree records it."""

    path: str
    url: str
    commit: str


def submodules(run: Callable[..., str], url: str, commit: str) -> list[Submodule]:
    """The submodules of a commit, by path.

    run: git in a repository that has the commit, giving its stdout. url: the repository's address, which
    relative ones start from. Raises JobError for a path or address that leads elsewhere, for a
    .gitmodules that is no plain file, for a submodule that it does not list, and for a tree that git itself would not
    check out: a name twice, a file that is a folder too, or a name such as `..` and `.git`.
    """
    where = f"{clean_url(url)}@{commit}"
    links, files = _tree(run("ls-tree", "-r", "-z", "--full-tree", "--end-of-options", commit), where)
    if not links:
        return []
    if files.get(".gitmodules") not in ("100644", "100755"):
        raise _refused(where, "the commit has submodules, but no plain file .gitmodules that lists them", sorted(links))
    listed = _listed(run("config", f"--blob={commit}:.gitmodules", "-z", "--get-regexp", r"^submodule\."), where)
    found = []
    for path, at in sorted(links.items()):
        _check_path(path, files, where)
        if path not in listed:
            raise _refused(where, f".gitmodules gives no address for the submodule {path!r}", sorted(listed))
        found.append(Submodule(path=path, url=_address(listed[path], url, where), commit=at))
    return found


def join(parts: Sequence[Path], target: Path) -> None:
    """Write several tars as one, in order, synced."""
    with target.open("wb") as out:
        for part in parts:
            with tarfile.open(part) as tar:
                tar.getmembers()
                rest = tar.offset  # where the zeros at the end begin
            with part.open("rb") as source:
                while rest and (piece := source.read(min(rest, 1 << 20))):
                    out.write(piece)
                    rest -= len(piece)
        out.write(bytes(2 * _BLOCK))
        out.flush()
        os.fsync(out.fileno())


def _tree(text: str, where: str) -> tuple[dict[str, str], dict[str, str]]:
    """The commits of a listing's submodules and the modes of its files, each by path. Raises JobError as submodules."""
    links: dict[str, str] = {}
    files: dict[str, str] = {}
    for row in text.split("\0"):
        about, _, path = row.partition("\t")
        if path:
            mode, _, name = about.split(" ")[:3]
            known, value = (links, name) if mode == "160000" else (files, mode)
            if path in known:
                raise _refused(where, f"the commit has {path[:200]!r} twice", ())
            if known is files and (bad := _unusable(path)) is not None:
                raise _refused(where, f"the commit has {path[:200]!r}, a path that holds {bad!r}", ())
            known[path] = value
    folders = {path[:end] for path in files for end in _slashes(path)}
    if both := next((path for path in (*files, *links) if path in folders), ""):
        inside = [path for path in files if path.startswith(f"{both}/")]
        raise _refused(where, f"{both[:200]!r} is a file, link or submodule and also a folder of the commit", inside)
    return links, files


def _unusable(path: str) -> str | None:
    """The part of a path that git would never write to a disk, None where there is none."""
    return next((part for part in path.split("/") if part.lower() in _NEVER), None)


def _slashes(path: str) -> list[int]:
    return [place for place, char in enumerate(path) if char == "/"]


def _listed(text: str, where: str) -> dict[str, str]:
    """Address by path, of `git config -z` lines of .gitmodules. Raises JobError where one path has two addresses."""
    sections: dict[str, dict[str, str]] = {}
    for entry in text.split("\0"):
        key, _, value = entry.partition("\n")
        section, _, name = key.rpartition(".")
        sections.setdefault(section, {})[name] = value
    listed: dict[str, str] = {}
    for item in sections.values():
        if "path" in item and "url" in item and listed.setdefault(item["path"], item["url"]) != item["url"]:
            raise _refused(where, f".gitmodules gives two addresses for the submodule {item['path'][:200]!r}", ())
    return listed


def _check_path(path: str, files: Mapping[str, str], where: str) -> None:
    if re.search(r"[\x00-\x1f\x7f\\]", path) or _unusable(path) is not None:
        raise _refused(where, f"the path of the submodule {path!r} leads out of its tree", ())
    above = [path[:end] for end in (*_slashes(path), len(path))]
    if blocked := next((item for item in above if item in files), ""):
        raise _refused(where, f"{blocked!r} is a file or a link and also where the submodule {path!r} belongs", ())


def _address(given: str, parent: str, where: str) -> str:
    """The https address of a submodule. A relative one starts from the parent's own, as git has it."""
    url = given
    if given.startswith(("./", "../")):
        url, rest = parent.rstrip("/"), given
        while rest.startswith(("./", "../")):
            step, _, rest = rest.partition("/")
            if step == "..":
                url = url.rpartition("/")[0]
        url = f"{url}/{rest}"
        if urlsplit(url).netloc != urlsplit(parent).netloc:
            raise _refused(where, f"the submodule's address {given!r} climbs out of the server", ())
    if not re.fullmatch(r"https://[A-Za-z0-9.-]+(:[0-9]+)?/[A-Za-z0-9._~%+/=-]*", url) or "/../" in f"{url}/":
        raise _refused(where, f"the submodule's address {_shown(given)} is not a plain https address", ())
    return url


def _shown(given: str) -> str:
    return repr(re.sub(r"//[^/@]*@", "//", given)[:200])


def _refused(where: str, problem: str, listed: Sequence[str]) -> JobError:
    why = f"there is {', '.join(listed[:5])}" if listed else ""
    fix = "name another commit, or a fork without that; submodules have to be at https addresses"
    return JobError(problem, where=where, why=why, fix=fix)
