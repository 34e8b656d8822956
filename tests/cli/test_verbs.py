"""The words of the command line: where options stand, how a wrong word is answered, and that no verb is half there."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from builder.__main__ import HELP
from builder.cli import program
from builder.commands import verbs
from builder.commands._common import everywhere
from tests.conftest import REPO, cli, document, write_stack

COMMON = {word for parameter in everywhere() for word in parameter.opts}


@pytest.mark.parametrize("verb", verbs())
def test_a_verb_has_a_make_target_a_row_in_the_readme_and_a_section_with_its_options(verb: str) -> None:
    makefile = (REPO / "Makefile").read_text()
    assert re.search(rf"^{verb}: venv ## .+\n\t@\$\(run\) {verb}\b", makefile, re.MULTILINE), "no make target"
    assert re.search(rf"^\.PHONY:.* (\$\(VERBS\)|{verb}\b)", makefile, re.MULTILINE)
    assert re.search(rf"^\|.*`make {verb}\b[^|]*\|", (REPO / "README.md").read_text(), re.MULTILINE), "no row"
    page = (REPO / "docs" / "commands.md").read_text()
    section = re.search(rf"^## {verb}\n(.+?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)
    assert section, "no section in docs/commands.md"
    assert f"make {verb}" in section[1]
    command = program.get_command(program.make_context("modelstacks", [verb], resilient_parsing=True), verb)
    assert command
    options = {word for one in command.params for word in one.opts if word.startswith("--")} - COMMON
    assert not {word for word in options if not re.search(rf"{word}\b", section[1])}


def test_the_page_names_no_verb_that_is_none_and_the_makefile_lists_them() -> None:
    page = (REPO / "docs" / "commands.md").read_text()
    assert set(re.findall(r"^## (\S+)$", page, re.MULTILINE)) == set(verbs())
    assert all(f"`{word}" in page for word in COMMON)
    listed = re.search(r"^override VERBS := (.+)$", (REPO / "Makefile").read_text(), re.MULTILINE)
    assert listed
    assert set(listed[1].split()) == set(verbs()) - {"completion"}


def test_options_of_every_verb_stand_before_it_or_after_it_and_add_up(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_stack(tmp_path / name, f"of-{name}", packages=["six==1.17.0"])
    one, two = str(tmp_path / "one"), str(tmp_path / "two")
    for words in (
        ["--json", "--stacks", one, "--stacks", two, "check", "of-one", "of-two"],
        ["check", "--stacks", one, "--json", "of-one", "of-two", "--stacks", two],
        ["--stacks", one, "check", "of-one", "of-two", "--stacks", two, "--json"],
    ):
        assert set(document(cli(*words))["stacks"]) == {"of-one", "of-two"}
    for words in (["--set", "jobs=x", "list"], ["list", "--set", "jobs=x"]):
        assert "--set jobs" in cli(*words).stderr


def test_a_verb_may_have_an_option_whose_value_looks_like_another() -> None:
    done = cli("doctor", "--log", "--json")
    assert done.returncode == 2
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (["check", "--jsn", "onnx-cpu"], "'--json'"),
        (["fetch", "--ofline", "onnx-cpu"], "Did you mean '--offline'?"),
        (["--jsno", "list"], "Did you mean '--json'?"),
        (["chekc", "onnx-cpu"], "Did you mean 'check'?"),
        (
            ["--offline", "fetch", "onnx-cpu"],
            "--offline stands after the verb: audit, bake, build, doctor, export, fetch, stack.",
        ),
    ],
)
def test_a_wrong_word_is_answered_with_the_nearest(words: list[str], answer: str) -> None:
    done = cli(*words)
    assert done.returncode == 2
    assert answer in done.stderr


def test_what_is_wrong_with_a_stack_is_told_in_json_wherever_json_stands() -> None:
    for words in (["--json", "check", "nope"], ["check", "nope", "--json"]):
        assert json.loads(cli(*words).stdout)["exit"] == 2


def test_the_page_of_help_that_is_kept_is_the_one_that_click_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Made anew by RENEW_HELP=1 in this test's environment."""
    monkeypatch.setenv("COLUMNS", "80")
    page = cli("--help")
    assert (page.returncode, page.stderr) == (0, "")
    if os.environ.get("RENEW_HELP"):
        Path(HELP).write_text(page.stdout)
    monkeypatch.delenv("COLUMNS")
    for word in ("--help", "-h"):
        assert cli(word).stdout == page.stdout == Path(HELP).read_text()


def test_the_page_of_help_fits_a_narrow_terminal_and_says_what_stops_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    assert max(map(len, cli("--help").stdout.splitlines())) < 60
    monkeypatch.delenv("COLUMNS")
    with Path("/dev/full").open("w") as full:
        words = [sys.executable, "-m", "builder", "--help"]
        done = subprocess.run(words, cwd=REPO, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 3
    assert "the disk is full" in done.stderr
