"""The command line as a user meets it: exit codes, JSON, talk on stderr, completion, Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from builder.commands import verbs
from tests.conftest import REPO, cli, document, uncached, write_stack

VERBS = sorted(verbs())


def test_help_lists_every_verb_and_each_has_its_own() -> None:
    text = cli("--help").stdout
    for verb in VERBS:
        assert f"  {verb} " in text
        assert cli(verb, "--help").returncode == 0


def test_list_gives_both_shipped_stacks_with_fresh_locks() -> None:
    rows = {row["name"]: row for row in document(cli("list", "--json"))["stacks"]}
    assert {"onnx-cpu", "ort-cudnn9"} <= set(rows)
    assert rows["onnx-cpu"]["lock"] == rows["ort-cudnn9"]["lock"] == "fresh"


@pytest.mark.parametrize("verb", ["check", "lock", "fetch", "render", "stack"])
def test_an_unknown_stack_is_wrong_input(verb: str) -> None:
    done = cli("--json", verb, "onnx-gpu")
    assert done.returncode == 2
    error = json.loads(done.stdout)["errors"][0]
    assert "onnx-gpu" in error["problem"]
    assert "onnx-cpu" in error["fix"]


def test_no_stack_named_is_wrong_input_and_names_those_there_are() -> None:
    done = cli("lock")
    assert done.returncode == 2
    assert "onnx-cpu, " in done.stderr
    assert "ort-cudnn9, " in done.stderr


@pytest.mark.parametrize("words", [["--nonsense"], ["nonsense"], ["smoke", "--gpu", "maybe", "onnx-cpu"]])
def test_a_wrong_word_on_the_command_line_is_wrong_input(words: list[str]) -> None:
    assert cli(*words).returncode == 2


@pytest.mark.parametrize("verb", ["build", "smoke", "reproduce"])
def test_without_an_engine_the_surroundings_lack_something(verb: str) -> None:
    done = cli("--json", verb, "onnx-cpu", env={"DOCKER_HOST": "unix:///nowhere/docker.sock"})
    assert done.returncode == 3
    assert json.loads(done.stdout)["errors"][0]["fix"]


def test_all_errors_of_a_stack_file_come_at_once_in_json_and_on_stderr(tmp_path: Path) -> None:
    write_stack(tmp_path, "bad", packages=["six==1.17.0"], extra="pakages: [x]\nenv: {A: '$(id)'}")
    done = cli("--json", "--stacks", str(tmp_path), "check", "bad")
    errors = json.loads(done.stdout)["errors"]
    assert done.returncode == 2
    assert [error["where"].rsplit(":", 1)[1] for error in errors] == ["5", "6"]
    assert done.stderr.count("error:") == 2


def test_own_stacks_are_found_by_option_and_by_environment(tmp_path: Path) -> None:
    write_stack(tmp_path, "mine", packages=["six==1.17.0"])
    by_option = document(cli("--json", "--stacks", str(tmp_path), "list"))["stacks"]
    by_environment = document(cli("--json", "list", env={"MODELSTACKS_STACKS": str(tmp_path)}))["stacks"]
    assert by_option == by_environment
    assert "mine" in {row["name"] for row in by_option}
    assert "mine" not in {row["name"] for row in document(cli("--json", "list"))["stacks"]}


def test_a_stack_without_a_lock_or_with_a_stale_one_is_wrong_input(tiny: Path) -> None:
    write_stack(tiny, "unlocked", packages=["six==1.17.0"])
    done = cli("--json", "--stacks", str(tiny), "fetch", "unlocked")
    assert done.returncode == 2
    assert json.loads(done.stdout)["errors"][0]["fix"] == "run `make lock STACK=unlocked`"
    stack = tiny / "tiny" / "stack.yaml"
    text = stack.read_text()
    stack.write_text(text.replace("six==1.17.0", "six==1.16.0"))
    try:
        for verb in ("check", "fetch", "render", "build", "smoke", "stack", "reproduce"):
            done = cli("--json", "--stacks", str(tiny), verb, "tiny")
            assert done.returncode == 2, verb
            assert "stale" in json.loads(done.stdout)["errors"][0]["problem"]
    finally:
        stack.write_text(text)


def test_every_verb_gives_one_json_document_and_nothing_else_on_stdout(tiny: Path) -> None:
    for words in (["check"], ["lock"], ["fetch"], ["render"], ["build"], ["smoke", "--gpu", "none"]):
        assert document(cli("--json", "--stacks", str(tiny), *words, "tiny"))
    made = document(cli("--json", "--stacks", str(tiny), "stack", "tiny", "--gpu", "none"))["stacks"][0]
    assert made["image"]["built"] is False
    assert made["fetch"]["fetched"] == []
    assert made["smoke"]["green"] is True
    assert document(cli("engine", "--json"))


def test_a_result_is_on_stdout_and_talk_is_not() -> None:
    done = cli("--set", "tls=hash-locked", "list")
    assert "onnx-cpu" in done.stdout and "warning" not in done.stdout
    assert "onnx-cpu" not in done.stderr and "warning: tls = hash-locked" in done.stderr


def test_no_color_is_obeyed_even_where_colour_is_forced_by_a_terminal() -> None:
    coloured = cli("check", "nope", env={"FORCE_COLOR": "1"}).stderr
    plain = cli("check", "nope", env={"FORCE_COLOR": "1", "NO_COLOR": "1"}).stderr
    assert "\x1b[31m" in coloured
    assert "\x1b[31m" not in plain


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_a_script_and_completes_stack_names(shell: str) -> None:
    assert "modelstacks" in cli("completion", shell).stdout
    # fish hands over the unfinished word itself, the others its place.
    words = {"_MODELSTACKS_COMPLETE": f"{shell}_complete", "COMP_WORDS": "modelstacks fetch onn"}
    assert "onnx-cpu" in cli(env={**words, "COMP_CWORD": "onn" if shell == "fish" else "2"}).stdout


def test_ctrl_c_ends_with_130_and_leaves_a_working_state(tiny: Path) -> None:
    """Interrupt a real run while it works; the next run finishes as if nothing had been."""
    write_stack(tiny, "stopped", packages=["sympy==1.14.0"], extra=uncached())
    words = ["--stacks", str(tiny), "stack", "stopped", "--gpu", "none"]
    with subprocess.Popen(
        [sys.executable, "-m", "builder", *words], cwd=REPO, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as child:
        assert child.stderr is not None
        for line in child.stderr:
            if "[wheels-layer" in line:
                break
        time.sleep(0.5)
        os.killpg(child.pid, signal.SIGINT)
        said = child.stderr.read()
    assert child.returncode == 130, said
    assert "Traceback" not in said
    assert document(cli("--json", *words))["stacks"][0]["smoke"]["green"] is True


def test_a_lock_that_cannot_be_read_hides_nothing_of_the_other_stacks(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        write_stack(tmp_path, name, packages=["numpy==1.26.4" if name == "b" else "six==1.17.0"])
    for name in ("a", "c"):
        (tmp_path / name / "stack.lock").write_text("no lock")
        (tmp_path / name / "pylock.toml").write_text("")
    done = cli("--stacks", str(tmp_path), "check", "a", "b", "c")
    assert done.returncode == 2
    assert all(f"/{name}/stack.lock" in done.stderr for name in ("a", "c")) and "b: no findings" in done.stdout
    said = json.loads(cli("--stacks", str(tmp_path), "--json", "check", "a", "b", "c").stdout)
    assert set(said["stacks"]) == {"b"} and len(said["errors"]) == 2
