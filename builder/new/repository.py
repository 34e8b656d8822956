"""A model's repository: which of its files say what it needs, and all of them together."""

from __future__ import annotations

import configparser
import posixpath
import re

from builder.new import conda, downloads, imports, pip_files, pyproject, setup_py, shell_lines
from builder.new.found import Asked, Decision, Found
from builder.new.tree import Tree

_DEEP = 3  # folders below which a file of requirements is another program's


def read(tree: Tree, found: Found) -> None:
    """Add what a repository says. The first kind of file that lists packages counts; install lines only beside none."""
    _requirements(tree, found)
    for path in _named(tree, r"(^|/)setup\.py$"):
        setup_py.read(tree, path, found, requirements=path == "setup.py" and not found.asked)
    listed = bool(found.asked)
    for path in _named(tree, r"(^|/)[Dd]ockerfile[^/]*$"):
        shell_lines.read(tree, path, found, packages=not listed)
    for path in _named(tree, r"^(README|INSTALL)[^/]*\.(md|rst)$|^(docs/)?install[^/]*\.(md|sh)$"):
        shell_lines.read(tree, path, found, packages=not listed)
    if ".python-version" in tree.files and (version := re.match(r"\s*(3\.\d+)", tree.text(".python-version"))):
        found.python.append(Asked(text=version[1], where=".python-version:1"))
    _submodules(tree, found)
    downloads.read(tree, found)
    imports.read(tree, found)


def _named(tree: Tree, pattern: str) -> list[str]:
    paths = (one for one in tree.files if re.search(pattern, one) and one.count("/") <= _DEEP)
    return sorted(paths, key=lambda one: (one.count("/"), one))


def _requirements(tree: Tree, found: Found) -> None:
    lists = _named(tree, r"(^|/)requirements[^/]*\.(txt|in)$|^requirements/[^/]*\.txt$")
    first = next((one for one in lists if one == "requirements.txt"), lists[0] if lists else "")
    conda_files = _named(tree, r"(^|/)environment[^/]*\.ya?ml$")
    if first:
        pip_files.read(tree, first, found)
    elif conda_files:
        conda.read(tree, conda_files[0], found)
    elif "pyproject.toml" in tree.files:
        pyproject.read(tree, "pyproject.toml", found)
    if first and conda_files:  # it may tell Python and CUDA
        beside = Found()
        conda.read(tree, conda_files[0], beside)
        found.python += beside.python
        found.cuda += beside.cuda
    for path in [one for one in (*lists, *conda_files) if one != first and (first or one != conda_files[0])]:
        why = f"{first or conda_files[0]} is taken; give --from {path} beside it where both are meant"
        found.decisions.append(Decision(kind="left out", what=path, why=why))


def _submodules(tree: Tree, found: Found) -> None:
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read_string(re.sub(r"(?m)^\s+", "", tree.text(".gitmodules")))
    except configparser.Error:
        return
    for section in parser.sections():
        path, url = parser.get(section, "path", fallback=""), parser.get(section, "url", fallback="")
        empty = not any(one.startswith(f"{posixpath.normpath(path)}/") for one in tree.named)
        why = "it comes along with the source, at the commit that the tree records"
        if empty:
            why += "; it is not checked out here, so what is in it was not looked at"
        found.decisions.append(Decision(kind="kept", what=f"submodule {path} ({url})", why=why, where=".gitmodules"))
