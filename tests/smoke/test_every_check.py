"""No smoke test without one that shows it red, and no probe that nobody asks: both are forgotten in silence."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from builder.smoke.subject import CHECKS
from tests.conftest import REPO

PROBES = CHECKS.parent / "probes"
ALL = {path.stem: path for path in (*CHECKS.glob("[a-z]*.py"), *CHECKS.glob("services/[a-z]*.py"))}
TESTS = sorted((REPO / "tests").rglob("test_*.py"))
LETTERS = 8  # of a name in parts (an f-string) so many have to be letters that stand there


def smoke_tests(path: Path) -> list[str]:
    """The names of a check's tests, without `test_`."""
    functions = [one for one in ast.parse(path.read_text()).body if isinstance(one, ast.FunctionDef)]
    return [one.name.removeprefix("test_") for one in functions if one.name.startswith("test_")]


def named_as_failed(text: str) -> Iterator[re.Pattern[str]]:
    """What a test file names where it expects failures: keys of a mapping, items of a set, and `failed[...]`."""
    for node in ast.walk(ast.parse(text)):
        keys: list[ast.expr | None] = []
        if isinstance(node, ast.Dict):
            keys += node.keys
        elif isinstance(node, ast.Set):
            keys += node.elts
        elif isinstance(node, ast.DictComp):
            keys.append(node.key)
        elif isinstance(node, ast.Subscript) and "failed" in ast.unparse(node.value):
            keys.append(node.slice)
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "dict.fromkeys":
            keys += [one for one in ast.walk(node.args[0]) if isinstance(one, ast.expr)]
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("failed.pop", "found.pop"):
            keys += node.args
        yield from (pattern for key in keys if (pattern := _pattern(key)))


def _pattern(key: ast.expr | None) -> re.Pattern[str] | None:
    """A key's text without its check and its parameters; what an f-string leaves open fits any word."""
    if isinstance(key, ast.Constant) and isinstance(key.value, str):
        parts = [re.escape(key.value)]
    elif isinstance(key, ast.JoinedStr):
        parts = [re.escape(str(one.value)) if isinstance(one, ast.Constant) else r"\w+" for one in key.values]
    else:
        return None
    name = "".join(parts).rpartition(r":\ ")[2].partition(r"\[")[0].removeprefix("test_")
    return re.compile(name) if sum(map(str.isalpha, name.replace(r"\w+", ""))) >= LETTERS else None


def unproved(check: str, names: list[str], expected: list[re.Pattern[str]]) -> list[str]:
    """The tests of a check that nothing expects to fail."""
    return [f"{check}: {name}" for name in names if not any(pattern.fullmatch(name) for pattern in expected)]


def test_each_smoke_test_is_shown_red_by_a_test() -> None:
    red = list({one.pattern: one for path in TESTS for one in named_as_failed(path.read_text())}.values())
    missing = [one for name, path in ALL.items() for one in unproved(name, smoke_tests(path), red)]
    assert not missing, f"nothing shows that these can fail: {missing}; spoil an image and expect them (docs/smoke.md)"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('assert_exactly(report, {"made: it_is_right[cpu]": "off by 1"})', True),
        ('assert failed["test_it_is_right"]', True),
        ('expected = dict.fromkeys((f"it_is_{one}" for one in ("right", "left")), "off")', False),
        ('x = "it_is_right"', False),
        ("", False),
    ],
)
def test_a_smoke_test_that_nothing_shows_red_is_named(text: str, found: bool) -> None:
    assert unproved("made", ["it_is_right"], list(named_as_failed(text))) == ([] if found else ["made: it_is_right"])


def test_a_smoke_test_without_tests_is_named() -> None:
    empty = [name for name, path in ALL.items() if not smoke_tests(path)]
    assert not empty, f"these prove nothing: {empty}"


def test_each_probe_is_asked_by_somebody() -> None:
    probes = {path.stem for path in PROBES.glob("[a-z]*.py")}
    texts = [path.read_text() for path in CHECKS.parent.rglob("*.py")]
    asked = {name for text in texts for name in re.findall(r"""(?:probe|Probes\([\w.]+\))\(\s*"(\w+)\"""", text)}
    asked |= set(re.findall(r'EXTENSION = \("(\w+)"', "\n".join(texts)))
    assert not probes - asked, f"no check asks these probes: {sorted(probes - asked)}"
    assert not asked - probes, f"these are asked, and there is no such probe: {sorted(asked - probes)}"
