"""pyproject.toml: [project], and what Poetry and uv say beside it."""

from __future__ import annotations

import re

import tomli

from builder.new import pip_files
from builder.new.found import Asked, Decision, Found
from builder.new.tree import Tree


def read(tree: Tree, path: str, found: Found) -> None:
    """Add what a pyproject.toml says; one that is no TOML is said and left out."""
    try:
        value = tomli.loads(tree.text(path))
    except (tomli.TOMLDecodeError, RecursionError):
        found.decisions.append(Decision(kind="left out", what=path, why="it is no TOML"))
        return
    project = _table(value, "project")
    if isinstance(version := project.get("requires-python"), str):
        found.python.append(Asked(text=version, where=path))
    for line in _list(project, "dependencies"):
        pip_files.add(line, path, found, constraint=False)
    if _table(project, "optional-dependencies"):
        names = ", ".join(sorted(map(str, _table(project, "optional-dependencies"))))
        why = "groups of extras are asked for by name; write those that are wanted into `packages`"
        found.decisions.append(Decision(kind="yours", what=f"extras: {names}", into="packages", why=why, where=path))
    uv = _table(_table(value, "tool"), "uv")
    named = uv.get("index")
    for index in named if isinstance(named, list) else ():
        if isinstance(index, dict) and isinstance(index.get("url"), str):
            found.pages.append(("extra-index-url", Asked(text=index["url"], where=path)))
    poetry = _table(_table(_table(value, "tool"), "poetry"), "dependencies")
    for name, asked in poetry.items():
        _poetry(str(name), asked, path, found)


def _table(value: dict[str, object], key: str) -> dict[str, object]:
    inner = value.get(key)
    return inner if isinstance(inner, dict) else {}


def _list(value: dict[str, object], key: str) -> list[str]:
    inner = value.get(key)
    return [one for one in inner if isinstance(one, str)] if isinstance(inner, list) else []


def _poetry(name: str, asked: object, path: str, found: Found) -> None:
    if isinstance(asked, dict):
        if isinstance(git := asked.get("git"), str):
            revision = str(asked.get("rev") or asked.get("tag") or asked.get("branch") or "")
            url = f"git+{git}{'@' + revision if revision else ''}"
            found.asked.append(Asked(text=name, where=path, url=url))
            return
        asked = asked.get("version", "*")
    text = str(asked)
    if name.lower() == "python":
        found.python.append(Asked(text=_caret(text), where=path))
    else:
        pip_files.add(f"{name}{_caret(text)}", path, found, constraint=False)


def _caret(text: str) -> str:
    """Poetry's ^1.2 and ~1.2 as PEP 440 has them; a bare version is that one."""
    if text.strip() in ("*", ""):
        return ""
    if wide := re.fullmatch(r"\^(\d+)(\.\d+)*", text):
        first = wide[0][1:].split(".")
        upper = f"{int(first[0]) + 1}" if first[0] != "0" or len(first) == 1 else f"0.{int(first[1]) + 1}"
        return f">={wide[0][1:]},<{upper}"
    if close := re.fullmatch(r"~(\d+(\.\d+)*)", text):
        return f"~={close[1]}" if "." in close[1] else f"=={close[1]}.*"
    return f"=={text}" if re.fullmatch(r"\d[\w.]*", text) else text
