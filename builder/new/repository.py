"""A model's repository: which of its files say what it needs, and all of them together."""

from __future__ import annotations

import configparser
import posixpath
import re

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from builder.new import conda, downloads, imports, pip_files, pyproject, setup_py, shell_lines
from builder.new.found import Asked, Decision, Found
from builder.new.known import names, pages
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
    imports.read(tree, found)
    for path in _named(tree, r"^(README|INSTALL)[^/]*\.(md|rst)$|^(docs/)?install[^/]*\.(md|sh)$"):
        if listed:
            _install_lines(tree, path, found)
        else:
            shell_lines.read(tree, path, found, packages=True)
    if where := found.imported.get("torch", "") if "torch" not in {_project(one) for one in found.asked} else "":
        found.asked.append(Asked(text="torch", where=where))
        why = "the code imports it, and nothing declares it; it decides the family"
        found.decisions.append(Decision(kind="added", what="torch", into="packages", why=why, where=where))
    if ".python-version" in tree.files and (version := re.match(r"\s*(3\.\d+)", tree.text(".python-version"))):
        found.python.append(Asked(text=version[1], where=".python-version:1"))
    _submodules(tree, found)
    downloads.read(tree, found)


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


def _install_lines(tree: Tree, path: str, found: Found) -> None:
    """A README beside a list of packages: what the code imports and the list lacks, often torch, with its index."""
    said = Found()
    shell_lines.read(tree, path, said, packages=True)
    listed = {_project(one) for one in found.asked}
    modules = {row["to"] or name: name for name, row in names("import").items()}
    wanted = {
        project for one in said.asked
        if (project := _project(one)) not in listed
        and {modules.get(project, project), project.replace("-", "_")} & found.imported.keys()
    }  # fmt: skip
    together = {name for row in pages() for name in row["packages"] if wanted & set(row["packages"])}
    taken = []
    for one in said.asked:
        if _project(one) in (wanted | together) - listed:
            taken.append(one)
            listed.add(_project(one))
    if taken:
        what, why = ", ".join(one.text for one in taken), "the code imports them, and the list of packages lacks them"
        found.decisions.append(Decision(kind="added", what=what, into="packages", why=why, where=taken[0].where))
    found.asked += taken
    found.pages += [(kind, one) for kind, one in said.pages if _served(one) & listed]
    for name in ("python", "cuda", "system", "decisions"):
        getattr(found, name).extend(getattr(said, name))


def _project(one: Asked) -> str:
    return str(canonicalize_name(Requirement(one.text).name)) if not one.url else ""


def _served(page: Asked) -> set[str]:
    """What comes from a page, of those that are known."""
    return {name for row in pages() if page.text.strip().startswith(row["address"]) for name in row["packages"]}


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
