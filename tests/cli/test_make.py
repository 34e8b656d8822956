"""What make is given is data: it reaches the program as it is, and neither make nor a shell runs what is in it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import REPO

# Real make and real shell; in place of the program, one that writes down what it was given.
_PROGRAM = """#!/usr/bin/env python3
import json, os, pathlib, sys
names = ("STACK", "CA_BUNDLE", "OFFLINE", "WHEELS", "HOST")
said = {"words": sys.argv[3:], "environment": {name: os.environ[name] for name in names if name in os.environ}}
pathlib.Path("said").open("a").write(json.dumps(said) + chr(10))
"""
_ATTACKS = [
    "$(shell touch broken)",
    "${shell touch broken}",
    "$(eval $(shell touch broken))",
    "$$(touch broken)",
    "$(touch broken)",
    "`touch broken`",
    "x; touch broken",
    "x' ; touch broken; '",
    'x" ; touch broken; "',
    "x'$(shell touch broken)'",
    "x | touch broken #",
    "x && touch broken",
    "x\ntouch broken",
    "x\\",
    "$(",
    "*",
    "~root",
    "-x",
]
_VALUES = {  # the variable: the target that reads it, and the word before its value
    "STACKS": ("list", "--stacks"),
    "TLS": ("list", "--set"),
    "GPU": ("smoke", "--gpu"),
    "FROM": ("new", "--from"),
    "NAME": ("new", "--"),
    "IMAGE": ("smoke", "--image"),
    "CONTAINER": ("doctor", "--container"),
    "HOST": ("smoke", "--host"),
    "CHECKS": ("smoke", "--checks"),
    "PROBE_PYTHON": ("smoke", "--python"),
    "OUT": ("export", "--out"),
    "SPLIT": ("export", "--split"),
    "BASE": ("export", "--base"),
    "LOG": ("doctor", "--log"),
    "FORMAT": ("doctor", "--format"),
    "REPORT": ("doctor", "--report"),
    "SAVE_ROOT": ("doctor", "--save-root"),
    "ONLY": ("doctor", "--only"),
    "BUNDLE": ("import", "--"),
    "SHELL_NAME": ("completion", "--"),
    "REGISTRY": ("publish", "--registry"),
    "TAG": ("publish", "--tag"),
    "REQUIRE_SMOKE": ("publish", "--require-smoke"),
    "EVIDENCE": ("publish", "--evidence"),
    "COMPRESSION": ("publish", "--compression"),
    "MOUNT": ("publish", "--mount"),
    "SINCE": ("matrix", "--since"),
    "RUNNER": ("matrix", "--runner"),
    "GPU_RUNNER": ("matrix", "--gpu-runner"),
    "BRANCH": ("matrix", "--branch"),
    "PROVIDER": ("ci", "--provider"),
    "AT_ONCE": ("stack", "--at-once"),
    "ADVISORIES": ("audit", "--advisories"),
    "SERVICE": ("audit", "--service"),
}
_NAMED = (
    "check",
    "lock",
    "fetch",
    "render",
    "build",
    "smoke",
    "stack",
    "reproduce",
    "export",
    "doctor",
    "sbom",
    "audit",
    "report",
    "publish",
    "share",
    "matrix",
)
_SWITCHES = {
    "JSON": ("list", "--json"), "UPGRADE": ("lock", "--upgrade"), "PENDING": ("lock", "--pending"),
    "VERIFY": ("fetch", "--verify"), "FROZEN": ("build", "--frozen"), "OFFLINE": ("fetch", "--offline"),
    "FIX": ("doctor", "--fix"), "OVERWRITE_STACKS": ("import", "--overwrite-stacks"), "HOST": ("check", "--host"),
    "REBUILD": ("verify", "--rebuild"), "YES": ("prune", "--yes"), "FILES_ONLY": ("prune", "--files-only"),
}  # fmt: skip


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    shutil.copyfile(REPO / "Makefile", tmp_path / "Makefile")
    for place, text in ((".venv/bin/python", _PROGRAM), ("tools/venv.sh", "#!/bin/sh\n")):
        (tmp_path / place).parent.mkdir(parents=True)
        (tmp_path / place).write_text(text)
        (tmp_path / place).chmod(0o755)
    return tmp_path


def make(checkout: Path, *words: str, **environment: str) -> list[dict[str, Any]]:
    """What the program was given by each target of a run of make; nothing may have been broken."""
    given = {"PATH": os.environ["PATH"], **environment}
    done = subprocess.run(["make", *words], cwd=checkout, env=given, capture_output=True, text=True, check=False)
    assert not (checkout / "broken").exists(), words
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in (checkout / "said").read_text().splitlines()]


@pytest.mark.parametrize("attack", _ATTACKS)
def test_a_value_reaches_the_program_as_it_is(attack: str, checkout: Path) -> None:
    targets = list(dict.fromkeys(target for target, _ in _VALUES.values()))
    said = make(checkout, *targets, *(f"{name}={attack}" for name in _VALUES))
    by_target = dict(zip(targets, (one["words"] for one in said), strict=True))
    for name, (target, word) in _VALUES.items():
        words = by_target[target]
        if name == "STACKS":  # folders, parted by spaces
            folders = [words[place + 1] for place, item in enumerate(words) if item == "--stacks"]
            assert folders == attack.split()
        else:
            assert words[words.index(word) + 1] == (f"tls={attack}" if name == "TLS" else attack), name


@pytest.mark.parametrize("attack", _ATTACKS)
def test_names_of_stacks_stay_names(attack: str, checkout: Path) -> None:
    split = [item for item in attack.replace(",", " ").split(" ") if item]
    said = make(checkout, *_NAMED, f"STACK={attack},other")
    assert len(said) == len(_NAMED)
    for one in said:  # commas and spaces part names, and every one comes after the end of options
        assert one["words"][one["words"].index("--") + 1 :] == [*split, "other"]


@pytest.mark.parametrize("attack", _ATTACKS)
def test_the_environment_is_data_too(attack: str, checkout: Path) -> None:
    names = ("GPU", "OUT", "CA_BUNDLE", "WHEELS", "OFFLINE")
    (one,) = make(checkout, "smoke", STACK=attack, **dict.fromkeys(names, attack))
    assert one["environment"] == dict.fromkeys(("CA_BUNDLE", "OFFLINE", "WHEELS"), attack)
    assert one["words"][:5] == ["smoke", "--gpu", attack, "--out", attack]


@pytest.mark.parametrize("attack", _ATTACKS)
def test_a_switch_is_on_or_off_and_its_value_goes_nowhere(attack: str, checkout: Path) -> None:
    targets = list(dict.fromkeys(target for target, _ in _SWITCHES.values()))
    said = make(checkout, *targets, *(f"{name}={attack}" for name in _SWITCHES))
    by_target = dict(zip(targets, (one["words"] for one in said), strict=True))
    for target, word in _SWITCHES.values():
        assert word in by_target[target] and attack not in by_target[target]


@pytest.mark.parametrize("how", ["a word", "the environment"])
@pytest.mark.parametrize(
    "name", ["run", "names", "offline", "given", "target", "comma", "given_TLS", "given_OUT", "given_STACK", "SHELL"]
)
def test_what_the_makefile_names_itself_is_not_given(name: str, how: str, checkout: Path) -> None:
    for attack in ("$(shell touch broken)", "touch broken;", ";touch broken;", str(checkout / "attack")):
        (checkout / "attack").write_text("#!/bin/sh\ntouch broken\n")
        (checkout / "attack").chmod(0o755)
        words = [f"{name}={attack}"] if how == "a word" else ["-e"]
        given = {name: attack} if how != "a word" else {}
        said = make(checkout, "check", "export", "smoke", *words, STACK="one", **given)
        assert [one["words"][0] for one in said[-3:]] == ["check", "export", "smoke"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("FROZN=1", "there is no make variable FROZN\n  fix: did you mean FROZEN=?"),
        ("STAK=onnx-cpu", "there is no make variable STAK\n  fix: did you mean STACK=?"),
        ("stack=onnx-cpu", "there is no make variable stack\n  fix: did you mean STACK=?"),
        ("XYZZYQ=1", "there is no make variable XYZZYQ\n  fix: make help lists"),
    ],
)
def test_a_mistyped_variable_is_refused_with_the_nearest(given: str, said: str, checkout: Path) -> None:
    shutil.copy(REPO / "tools" / "variables.sh", checkout / "tools")
    done = subprocess.run(
        ["make", "build", given],
        cwd=checkout,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2 and said in done.stderr
    assert not (checkout / "said").exists(), "nothing was run"


def test_every_variable_of_the_makefile_is_tried_here() -> None:
    lines = (REPO / "Makefile").read_text().splitlines()
    text = "\n".join(line for line in lines if not line.startswith("#"))
    given = text.partition("GIVEN := ")[2].partition("\n$")[0].replace("\\\n", " ").split()
    assert set(given) - {"STACK", "KEY", "SIGNATURE"} == {*_VALUES, *_SWITCHES}
    used = {word.partition(")")[0] for word in text.split("$(given_")[1:]} | {
        word.partition('"')[0].partition(";")[0].partition(")")[0] for word in text.split("$$given_")[1:]
    }
    assert {name for name in used if name.isupper()} <= set(given)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["lock"], ["lock", "onnx-cpu"]),
        (["lock", "STACK=a,b c"], ["lock", "--", "a", "b", "c"]),
        (["check"], ["check"]),
        (["smoke"], ["smoke", "--gpu", "auto", "onnx-cpu"]),
        (["smoke", "IMAGE=a:b", "GPU=none"], ["smoke", "--gpu", "none", "--image", "a:b"]),
        (["list", "STACKS=a b", "JSON=1"], ["--json", "--stacks", "a", "--stacks", "b", "list"]),
        (["list", "TLS=hash-locked"], ["--set", "tls=hash-locked", "list"]),
        (["export", "OUT=my bundle.tar"], ["export", "--out", "my bundle.tar", "onnx-cpu"]),
        (["import", "BUNDLE=my bundle.tar"], ["import", "--", "my bundle.tar"]),
        (["completion"], ["completion", "--", "bash"]),
    ],
)
def test_what_is_usual_goes_on(words: list[str], expected: list[str], checkout: Path) -> None:
    assert [one["words"] for one in make(checkout, *words)] == [expected]


def test_host_of_the_shell_is_not_taken_for_an_option(checkout: Path) -> None:
    assert [one["words"] for one in make(checkout, "check", HOST="machine")] == [["check"]]
