"""The modules that a repository's code imports, by ast: those that are neither its own nor Python's."""

from __future__ import annotations

import ast
import sys
import warnings

from builder.new.found import Found
from builder.new.known import names, pages
from builder.new.tree import Tree

# Folders of a repository that are no part of the model, and the file that installs it.
_BESIDE = {"test", "tests", "docs", "benchmark", "benchmarks", "setup.py"}


def _known() -> set[str]:
    """Modules of projects that are known: a folder of that name deep in a repository is not what `import` finds."""
    return {*names("import"), *(package.replace("-", "_") for row in pages() for package in row["packages"])}


def read(tree: Tree, found: Found) -> None:
    """Add each module by the place of its first import; those inside of `try` are not needed, and left out."""
    code = [path for path in tree.named if path.endswith(".py")]
    own = {part.removesuffix(".py") for path in code for part in path.split("/")} - _known()
    own |= {path.partition("/")[0].removesuffix(".py") for path in code}
    for path in sorted(tree.files):
        if not path.endswith(".py") or not _BESIDE.isdisjoint(path.split("/")):
            continue
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of the other's code, such as invalid escapes
                module = ast.parse(tree.text(path))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
        for node in module.body:
            names = [one.name for one in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names = [node.module]
            for name in {one.partition(".")[0] for one in names} - own - sys.stdlib_module_names:
                found.imported.setdefault(name, f"{path}:{getattr(node, 'lineno', 0)}")
