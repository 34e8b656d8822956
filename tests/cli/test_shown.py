"""What is shown steers no terminal and tells no secret, whoever wrote it; what nobody foresaw ends in an exit code."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from builder.errors import InputError
from builder.plain import plain
from builder.ui import Ui
from tests.conftest import REPO, cli, write_stack

# Colours, a title, a clipboard, the cursor, C1, a bell, a backspace, other directions and unseen ones, a link of rich.
ODD = (
    "\x1b[31mred\x1b[0m",
    "\x1b]0;title\x07",
    "\x1b]52;c;ZXZpbA==\x07",
    "\x1b[2J\x1b[1;1H",
    "\x9b31m",
    "a\x07b\x08c",
    "safe\u202etxt.exe",
    "a\u200bb\u2066c",
    "a\rover",
    "a\x0bb\x0cc",
    "[red]markup[/red][link=https://evil.example]x[/link]",
    "[/nothing]",
    "ends with \\",
)
_OBEYED = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]")


@pytest.mark.parametrize("way", ["say", "step", "sub", "warn", "error", "table", "tell", "transfer"])
@pytest.mark.parametrize("text", ODD, ids=range(len(ODD)))
def test_no_text_is_obeyed(text: str, way: str, capsys: pytest.CaptureFixture[str]) -> None:
    ui = Ui()
    if way == "sub":
        ui.sub(text, text)
    elif way == "error":
        ui.error(InputError(text, where=text, why=text, fix=text))
    elif way == "table":
        ui.table(text, [text], [[text]])
    elif way == "transfer":
        with ui.transfer(text, 10) as moving:
            moving._spoke = 0
            moving.advance(5)
    else:
        getattr(ui, way)(text)
    told = capsys.readouterr()
    said = told.out if way in ("table", "tell") else told.err
    assert said and not _OBEYED.search(said)
    seen = plain(text)
    assert way == "table" or seen.replace("\n", "") in said.replace("\n", ""), "markup is shown as it stands"


@pytest.mark.parametrize(
    "text", ["plain words", "two\nlines", "a\ttab", "Ünïcödé 漢字 ✓", "[not] markup", "50 % of a/b"]
)
def test_honest_text_stays(text: str) -> None:
    assert plain(text) == text


WORDS: dict[str, list[str]] = {
    "a stack": ["check", "{odd}"],
    "a container": ["doctor", "--container", "{odd}"],
    "a log": ["doctor", "--log", "{odd}"],
    "a bundle": ["import", "/nowhere/{odd}"],
    "a setting": ["--set", "{odd}=1", "list"],
    "a value": ["--set", "jobs={odd}", "list"],
    "a folder": ["--stacks", "/nowhere/{odd}", "list"],
    "an option": ["list", "--{odd}"],
    "a verb": ["{odd}"],
    "an output": ["export", "onnx-cpu", "--out", "{odd}"],
}


@pytest.mark.parametrize("case", WORDS)
def test_words_of_a_command_line_are_not_obeyed(case: str) -> None:
    odd = "".join(ODD[:10])
    done = cli(*(word.format(odd=odd) for word in WORDS[case]))
    assert done.returncode != 0 and done.stderr
    assert not _OBEYED.search(done.stderr + done.stdout)
    assert "Traceback" not in done.stderr


def test_names_of_files_are_not_obeyed(tmp_path: Path) -> None:
    write_stack(tmp_path, "own", packages=[], extra="files: [{from: app, into: /opt/app}]")
    inside = tmp_path / "own" / "files" / "app" / "".join(ODD[:5])
    inside.mkdir(parents=True)
    (inside / "link").symlink_to("/etc/passwd")
    done = cli("--stacks", str(tmp_path), "render", "own")
    assert done.returncode == 2 and not _OBEYED.search(done.stderr), done.stderr


# The command line as it is, in which the first look at a stack file fails with these words.
CHILD = """
import os, runpy, sys
words = os.environ.pop("MADE_WORDS")
def seen(event, given):
    if event == "open" and str(given[0]).endswith("stack.yaml"):
        try:
            raise KeyError(words)
        except KeyError:
            raise ValueError("while reading " + words)
sys.addaudithook(seen)
sys.argv[:] = ["modelstacks", *sys.argv[1:]]
runpy.run_module("builder", run_name="__main__")
"""
SECRET = "hunter2+se/cret="
FORMS = (SECRET, "hunter2%2Bse%2Fcret%3D", base64.b64encode(SECRET.encode()).decode())
UNFORESEEN = {
    "a login": "https://user:{}@host.example/simple",
    "a token alone": "https://{}@host.example/simple",
    "a query": "https://host.example/simple?token={}&x=1",
    "a path parameter": "https://host.example/a;token={}/b",
    "a fragment": "https://host.example/a#{}",
    "a proxy": "http://user:{}@proxy.example:3128",
    "a header": "Authorization: Bearer {}",
    "a login as base64": f"Basic {FORMS[2]}",
    "a variable": "the value is {}",
    "a percent form": f"https://user:{FORMS[1]}@host.example/ and {FORMS[1]}",
    "control characters": "\x1b]0;title\x07 {}",
}


def unforeseen(words: str, *more: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "MADE_WORDS": words, "SITE_TOKEN": SECRET}
    command = [sys.executable, "-c", CHILD, *more, "list"]
    return subprocess.run(command, cwd=REPO, env=env, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize("case", UNFORESEEN)
def test_what_nobody_foresaw_tells_no_secret(case: str) -> None:
    done = unforeseen(UNFORESEEN[case].format(SECRET), "--json")
    assert done.returncode == 1
    assert not [form for form in FORMS if form in done.stderr + done.stdout], done.stderr
    assert not _OBEYED.search(done.stderr)
    assert "this is a fault of modelstacks itself" in done.stderr and "fix:" in done.stderr
    assert "ValueError: while reading" in done.stderr and re.search(r'File ".*builder/.*", line \d+', done.stderr)
    assert json.loads(done.stdout)["exit"] == 1


def test_what_nobody_foresaw_is_told_in_few_lines() -> None:
    done = unforeseen("x" * 60_000 + "\n" * 50_000 + "end")
    assert done.returncode == 1 and len(done.stderr) < 60_000
