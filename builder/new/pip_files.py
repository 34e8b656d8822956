"""requirements.txt as pip reads it: -r, -c, indexes, addresses, continued lines. Files come from one Tree alone.

pip-requirements-parser was looked at: its last release is of 2022, and it opens what lines name.
"""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Iterator
from urllib.parse import unquote

from packaging.requirements import InvalidRequirement, Requirement

from builder.new.found import Asked, Decision, Found
from builder.new.tree import Tree

_DEEPEST = 10  # files that name files
PAGES = {"-i": "index-url", "--index-url": "index-url", "--extra-index-url": "extra-index-url", "-f": "find-links"}
PAGES |= {"--find-links": "find-links"}
_FILES = {"-r": False, "--requirement": False, "-c": True, "--constraint": True}
# Options of one requirement; and of the whole file, which a lock decides otherwise.
_OF_LINE = re.compile(r"\s--(hash|config-settings|global-option|install-option)[= ].*$")
_ADDRESS = re.compile(r"(git\+\S+|https?://\S+|file:\S+)")
_LONGEST = 2000


def read(tree: Tree, path: str, found: Found, *, constraint: bool = False, seen: frozenset[str] = frozenset()) -> None:
    """Add what a file of requirements says. constraint: it only bounds what others ask for."""
    if path in seen or len(seen) >= _DEEPEST:
        return
    if path not in tree.files:
        found.decisions.append(Decision(kind="left out", what=path, why="there is no such file, or it is a link"))
        return
    for number, line in _lines(tree.text(path)):
        where = f"{path}:{number}"
        if len(line) > _LONGEST:
            found.decisions.append(Decision(kind="left out", what=line[:60], why="the line is too long", where=where))
        elif line.startswith("-"):
            _option(tree, line, where, found, seen | {path})
        else:
            add(line, where, found, constraint=constraint)


def read_line(tree: Tree, line: str, where: str, found: Found) -> None:
    """Add one line of such a file that stands in another."""
    line = line.strip()[:_LONGEST]
    if line.startswith("-"):
        _option(tree, line, where, found, frozenset({where.rpartition(":")[0]}))
    elif line:
        add(line, where, found, constraint=False)


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Each line by the number of its first part, continued ones joined, comments left out."""
    begun, joined = 0, ""
    for number, raw in enumerate(text.splitlines(), 1):
        line = re.sub(r"(^|\s)#.*$", "", raw).rstrip()
        begun = begun or number
        joined += line.removesuffix("\\")
        if line.endswith("\\"):
            continue
        if joined.strip():
            yield begun, joined.strip()
        begun, joined = 0, ""
    if joined.strip():
        yield begun, joined.strip()


def _option(tree: Tree, line: str, where: str, found: Found, seen: frozenset[str]) -> None:
    try:
        words = shlex.split(line)
    except ValueError:
        words = line.split()
    name, _, value = words[0].partition("=")
    if not value and not name.startswith("--") and len(name) > 2:  # -rfile
        name, value = name[:2], name[2:]
    value = value or (words[1] if len(words) > 1 else "")
    if name in PAGES:
        found.pages.append((PAGES[name], Asked(text=value, where=where)))
    elif name in _FILES:
        inner = posixpath.normpath(posixpath.join(posixpath.dirname(where.rpartition(":")[0]), value))
        read(tree, inner, found, constraint=_FILES[name], seen=seen)
    elif name in ("-e", "--editable"):
        add(value, where, found, constraint=False)
    else:
        why = "an option of pip that a lock decides otherwise: files are wheels of fixed hashes"
        found.decisions.append(Decision(kind="left out", what=line, why=why, where=where))


def add(line: str, where: str, found: Found, *, constraint: bool) -> None:
    """Add one requirement, with its address where it names one; what is none is said."""
    line = _OF_LINE.sub("", line).strip()
    try:
        parsed = Requirement(line)
    except (InvalidRequirement, RecursionError):
        _address(line, where, found)
        return
    if parsed.url:
        found.asked.append(Asked(text=parsed.name, where=where, url=parsed.url))
        return
    asked = Asked(text=str(parsed), where=where)
    (found.constraints if constraint else found.asked).append(asked)


def _address(line: str, where: str, found: Found) -> None:
    """A line that is no requirement: an address, a folder, or a mistake."""
    bare = line.split(";", maxsplit=1)[0].split("[", maxsplit=1)[0].strip()
    if address := _ADDRESS.match(bare):
        name = re.search(r"[#&]egg=([A-Za-z0-9._-]+)", line)
        last = unquote(address[0].partition("#")[0].rstrip("/").rpartition("/")[2])
        wheel = re.match(r"([A-Za-z0-9_.]+?)-\d[^/]*\.(whl|tar\.gz|zip)$", last)
        guess = wheel[1] if wheel else last.partition("@")[0].removesuffix(".git")
        found.asked.append(Asked(text=name[1] if name else guess, where=where, url=address[0]))
    elif bare.startswith((".", "/")) or "/" in bare:
        why = "a local project: the stack's `sources` and `paths` hold the repository"
        found.decisions.append(Decision(kind="left out", what=line, why=why, where=where))
    else:
        why = "it is no requirement (PEP 508)"
        found.decisions.append(Decision(kind="yours", what=line, into="packages", why=why, where=where))
