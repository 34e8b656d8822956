"""Talk on a terminal is broken at words, and nowhere in what one copies; in a file a sentence is one line."""

from __future__ import annotations

import subprocess
import sys

import pytest

from builder.ui.table import flowed, width
from tests.conftest import REPO
from tests.screen import on_terminal

WIDTHS = (80, 100)
COMMAND = "`make lock STACK=talkinggaussian-modern UPGRADE=1 FROZEN=0 STACKS=/srv/models/stacks`"
URL = "https://mirror.example.org/a/long/path/that/is/longer/than/half/of/a/screen/torch-2.11.0-cp311.whl"
PATH = "/srv/models/stacks/talkinggaussian-modern/files/overlay/submodules/simple_knn/simple_knn.cu:118"
TALK = f"""
from builder.errors import InputError
from builder.ui import Ui
ui = Ui()
ui.say("    what came of it is told in so many words that they do not fit on a line of eighty columns, nor hundred")
ui.step("resolving some hundred and fifty Python packages and two hundred system packages, as the stack asks for them")
ui.warn("the file at {URL} is larger than what the index says, and is not taken for that reason; see {PATH}")
ui.error(InputError("a problem whose description is rather long, as it has to say what is meant by it [exactly]",
    where="{PATH}", why="the reason has [words] in brackets, and goes on for a while, so that it needs a second line",
    fix="run {COMMAND}, or (where that cannot be reached) {COMMAND}; look at {PATH} then"))
"""


@pytest.mark.parametrize("columns", WIDTHS)
def test_talk_fits_the_terminal_and_breaks_no_word(columns: int) -> None:
    shown = on_terminal(columns=columns, program=(sys.executable, "-c", TALK), talk=True).out
    whole = off_terminal(TALK)
    assert shown.split() == whole.split(), "nothing is lost, added or broken"
    lines = shown.splitlines()
    for line in lines:
        alone = len(pieces(line.removeprefix("error:"))) == 1 and any(one in line for one in (COMMAND, URL, PATH))
        assert width(line) <= columns or alone, line
    assert len(lines) > len(whole.splitlines()) == 6
    assert sum(COMMAND in line for line in lines) == 2, "a command is on one line"
    assert sum(URL in line for line in lines) == 1 and sum(PATH in line for line in lines) == 3
    fix = next(number for number, line in enumerate(lines) if line.startswith("  fix:"))
    assert all(line.startswith(" " * 7) for line in lines[fix + 1 :]), "what goes on stands below its start"


def test_off_a_terminal_a_sentence_is_a_line() -> None:
    said = off_terminal(TALK).splitlines()
    assert [line.split()[0] for line in said] == ["what", "==>", "warning:", "error:", "why:", "fix:"]
    assert said[2].endswith(f"see {PATH}") and said[3].endswith("by it [exactly]")


@pytest.mark.parametrize("columns", WIDTHS)
def test_so_does_what_the_program_says_of_a_wrong_word(columns: int) -> None:
    for words in (["check", "onnx-cpuu"], ["list", "--no-such-option-of-this-program-at-all-whatever-one-may-think"]):
        shown = on_terminal(*words, columns=columns, talk=True)
        assert shown.code == 2
        assert all(width(line) <= columns for line in shown.out.splitlines()), shown.out
        assert "onnx-cpu," in shown.out.split() or "Error:" in shown.out.split()


@pytest.mark.parametrize(
    ("text", "room", "lines"),
    [
        ("", 10, [""]),
        ("one two three", 7, ["one two", "three"]),
        ("  one two three", 9, ["  one two", "  three"]),
        ("one\n\ntwo", 9, ["one", "", "two"]),
        ("do `a b c` now", 8, ["do", "`a b c`", "now"]),
        ("do (`a b c`), now", 4, ["do", "(`a b c`),", "now"]),
        ("a ` alone", 4, ["a `", "alone"]),
        ("keeps  two  spaces", 20, ["keeps  two  spaces"]),
        ("模型 模型 模型", 9, ["模型 模型", "模型"]),
        ("toolong it is", 4, ["toolong", "it", "is"]),
    ],
)
def test_lines_of_talk(text: str, room: int, lines: list[str]) -> None:
    assert flowed(text, room) == lines


def off_terminal(program: str) -> str:
    words = [sys.executable, "-c", program]
    return subprocess.run(words, cwd=REPO, check=True, capture_output=True, text=True).stderr


def pieces(line: str) -> list[str]:
    """What of a line may not be broken."""
    return line.replace(COMMAND, COMMAND.replace(" ", "_")).split()
