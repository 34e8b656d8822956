"""setup.py, read by ast and never run: what it requires, and the extensions that it compiles."""

from __future__ import annotations

import ast
import posixpath
from collections.abc import Iterator

from builder.new import pip_files
from builder.new.found import Asked, Compiled, Decision, Found
from builder.new.tree import Tree

_EXTENSIONS = {"CUDAExtension": True, "CppExtension": False, "Extension": False}


def read(tree: Tree, path: str, found: Found, *, requirements: bool) -> None:
    """Add what a setup.py compiles, and with `requirements` what it asks for in plain words."""
    try:
        module = ast.parse(tree.text(path))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        found.decisions.append(Decision(kind="left out", what=path, why="it is no Python 3"))
        return
    calls = [one for one in ast.walk(module) if isinstance(one, ast.Call)]
    name = next((text for call in calls if _called(call) == "setup" for text in _texts(_keyword(call, "name"))), "")
    folder = posixpath.dirname(path)
    made = [call for call in calls if _called(call) in _EXTENSIONS]
    modules = [
        text
        for call in made
        for text in [*_texts(_keyword(call, "name")), *_texts(call.args[0] if call.args else None)][:1]
    ]
    if made:
        found.compiled.append(
            Compiled(
                name=name or posixpath.basename(folder) or "extension",
                folder=folder,
                modules=tuple(modules),
                cuda=any(_EXTENSIONS[_called(call)] for call in made),
                where=f"{path}:{made[0].lineno}",
            )
        )
    for call in calls if requirements else ():
        if _called(call) != "setup":
            continue
        for text in _texts(_keyword(call, "install_requires")):
            pip_files.add(text, f"{path}:{call.lineno}", found, constraint=False)
        for text in _texts(_keyword(call, "python_requires")):
            found.python.append(Asked(text=text, where=f"{path}:{call.lineno}"))


def _called(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")


def _keyword(call: ast.Call, name: str) -> ast.expr | None:
    return next((one.value for one in call.keywords if one.arg == name), None)


def _texts(node: ast.expr | None) -> Iterator[str]:
    """The plain texts of a text or a list of texts; what is computed is not known."""
    nodes = node.elts if isinstance(node, (ast.List, ast.Tuple)) else [node]
    for one in nodes:
        if isinstance(one, ast.Constant) and isinstance(one.value, str):
            yield one.value
