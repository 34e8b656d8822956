"""The shape of the code: names that hide nothing, functions of a screen, files that can be read in one sitting."""

import ast
from collections.abc import Iterator
from pathlib import Path

BUILDER = Path(__file__).parents[1] / "builder"
FUNCTION_LINES = 60
FILE_LINES = 300
LONGER_FILES = 2


def _bound(module: ast.Module) -> Iterator[str]:
    """The names that a package's __init__ makes, except its own modules."""
    for node in module.body:
        if isinstance(node, ast.ImportFrom):
            yield from (one.asname or one.name for one in node.names if node.module and node.module.count("."))
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name


def test_no_package_hides_a_module_of_its_own() -> None:
    hidden = []
    for init in BUILDER.rglob("__init__.py"):
        package = ".".join(init.parent.relative_to(BUILDER.parent).parts)
        modules = {one.stem for one in init.parent.iterdir() if one.is_dir() or one.suffix == ".py"}
        tree = ast.parse(init.read_text("utf-8"))
        tree.body = [one for one in tree.body if not isinstance(one, ast.ImportFrom) or one.module != package]
        hidden += [f"{package}.{name}" for name in _bound(tree) if name in modules]
    assert not hidden, "from there on the name is the function, and the module cannot be had by `from … import`"


def test_functions_are_a_screen_or_less() -> None:
    long = []
    for path in BUILDER.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef) and (node.end_lineno or 0) - node.lineno >= FUNCTION_LINES:
                long.append(f"{path.relative_to(BUILDER.parent)}:{node.lineno} {node.name}")
    assert not long


def test_files_are_short() -> None:
    lines = {
        str(path.relative_to(BUILDER.parent)): len(path.read_bytes().splitlines()) for path in BUILDER.rglob("*.py")
    }
    longer = sorted(path for path, count in lines.items() if count > FILE_LINES)
    assert len(longer) <= LONGER_FILES, longer
