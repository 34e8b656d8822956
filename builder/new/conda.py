"""conda's environment.yml: Python, packages under their names on the default index, pip's own lines, channels."""

from __future__ import annotations

import re

import yaml

from builder.new import pip_files
from builder.new.found import Asked, Decision, Found
from builder.new.known import names
from builder.new.tree import Tree

_PIN = re.compile(
    r"^(?:[\w-]+::)?([A-Za-z0-9._-]+)\s*(?:(==?|>=|<=|<|>|!=)\s*([\w.*+]+(?:,[<>=!]=?[\w.*+]+)*))?(?:=[\w.*]+)?(?:\s.*)?$"
)


def read(tree: Tree, path: str, found: Found) -> None:
    """Add what an environment.yml says; one that is no YAML is said and left out."""
    try:
        value = yaml.load(tree.text(path), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - safe
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        found.decisions.append(Decision(kind="left out", what=path, why=f"it is no YAML: {type(error).__name__}"))
        return
    listed = value.get("dependencies") if isinstance(value, dict) else None
    lines = tree.text(path).splitlines()
    for item in listed if isinstance(listed, list) else ():
        if isinstance(item, dict):
            for line in item.get("pip") or ():
                pip_files.read_line(tree, str(line), _where(path, lines, str(line)), found)
        elif isinstance(item, str):
            _package(item, _where(path, lines, item), found)
    variables = value.get("variables") if isinstance(value, dict) else None
    for name, text in variables.items() if isinstance(variables, dict) else ():
        found.env[str(name)] = Asked(text=str(text), where=path)


def _where(path: str, lines: list[str], item: str) -> str:
    return next((f"{path}:{number}" for number, line in enumerate(lines, 1) if item in line), path)


def _package(item: str, where: str, found: Found) -> None:
    pin = _PIN.match(item.strip())
    if not pin:
        found.decisions.append(Decision(kind="yours", what=item, into="packages", why="not understood", where=where))
        return
    name, operator, version = pin[1].lower(), pin[2] or "", pin[3] or ""
    row = names("conda").get(name, {"to": name})
    if name == "python":
        found.python.append(Asked(text=version, where=where))
    elif name in ("cudatoolkit", "pytorch-cuda", "cuda-toolkit", "cuda", "cuda-version"):
        found.cuda.append(Asked(text=version, where=where))
    elif row.get("system"):
        found.system.append(Asked(text=str(row["system"]), where=where))
    elif not row["to"]:
        found.decisions.append(Decision(kind="left out", what=item, why=str(row.get("why", "")), where=where))
    else:
        joined = f"{row['to']}{_specifier(operator, version)}"
        if row["to"] != name:
            why = f"{name} of conda is {row['to']} on the default index"
            found.decisions.append(Decision(kind="changed", what=item, into="packages", why=why, where=where))
        pip_files.add(joined, where, found, constraint=False)


def _specifier(operator: str, version: str) -> str:
    """conda's `=1.2` is any 1.2.x."""
    if not version:
        return ""
    if operator != "=":
        return f"{operator}{version}"
    return f"=={version}" if version.endswith("*") or version.count(".") >= 2 else f"=={version}.*"
