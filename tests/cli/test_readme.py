"""The examples of the README are what the program takes and says."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree as ET

from builder.check import check
from builder.settings import Settings
from builder.settings.program import SHIPPED
from builder.spec import load_stack
from tests.conftest import REPO
from tests.screen import on_terminal

README = (REPO / "README.md").read_text()


def example(name: str, folder: Path) -> Path:
    """The stack file of that name in the README, in a folder of stacks."""
    text = re.search(rf"```yaml\n# mystacks/{name}/stack\.yaml\n(.*?)```", README, re.DOTALL)
    assert text
    (folder / name).mkdir()
    (folder / name / "stack.yaml").write_text(text[1])
    return folder


def test_the_first_example_is_four_lines_that_nothing_speaks_against(tmp_path: Path) -> None:
    stacks = example("whisper", tmp_path)
    assert len((stacks / "whisper" / "stack.yaml").read_text().splitlines()) == 4
    stack = load_stack("whisper", Settings(home=tmp_path, stacks=(SHIPPED, stacks)))
    assert check(stack, None) == []
    assert "make stack STACK=whisper STACKS=mystacks" in README


def test_the_bad_example_is_told_as_the_readme_has_it(tmp_path: Path) -> None:
    stacks = example("head", tmp_path)
    shown = on_terminal("--stacks", str(stacks), "check", "head", columns=100)
    told = re.search(r"```text\n(head: .*?)```", README, re.DOTALL)
    assert told and shown.code == 2
    assert shown.out.split() == told[1].split(), "the words"
    assert shown.out.strip() == told[1].strip(), "and where they stand"


def drawing() -> ModuleType:
    about = importlib.util.spec_from_file_location("second_lock", REPO / "tools" / "second_lock.py")
    assert about and about.loader
    module = importlib.util.module_from_spec(about)
    about.loader.exec_module(module)
    return module


def test_the_picture_of_a_second_lock_is_what_it_says(tmp_path: Path) -> None:
    of = drawing()
    assert "docs/second-lock.svg" in README
    assert of.PICTURE.read_text() == of.drawn(of.said(tmp_path)), "draw it anew: tools/second_lock.py"


def test_the_picture_is_readable_on_a_light_and_a_dark_page() -> None:
    text = drawing().PICTURE.read_text()
    assert ET.fromstring(text).tag == "{http://www.w3.org/2000/svg}svg"
    assert len(text) < 4000
    light, _, dark = text.partition("prefers-color-scheme: dark")
    for page in (light, dark):
        ground = re.search(r"\.ground \{ fill: #([0-9a-f]{6})", page)
        assert ground
        colours = re.findall(r"(?:text|\.old|\.new|\.faint) \{ fill: #([0-9a-f]{6})", page)
        assert len(colours) == 4
        assert all(contrast(colour, ground[1]) >= 4.5 for colour in colours), "WCAG 2.1, 1.4.3"


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours, as WCAG 2.1 defines it."""

    def bright(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (0, 2, 4)]
        red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    low, high = sorted((bright(one), bright(other)))
    return (high + 0.05) / (low + 0.05)
