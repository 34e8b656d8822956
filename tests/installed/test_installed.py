"""The program as a wheel, in a clean virtual environment and an empty folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from uv import find_uv_bin

from builder.engine.client import Engine
from builder.ui.speech import VERBS, spoken
from tests.conftest import IMAGES, REPO

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    words = [
        "build",
        "--quiet",
        "--wheel",
        "--no-build-isolation",
        "--python",
        sys.executable,
        "--out-dir",
        folder,
        REPO,
    ]
    subprocess.run([find_uv_bin(), *map(str, words)], check=True)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def run(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """`modelstacks` of a clean environment, in an empty folder."""
    folder, venv = tmp_path_factory.mktemp("empty"), tmp_path_factory.mktemp("venv") / "venv"
    lock = ["--require-hashes", "--requirement", REPO / "requirements.lock"]
    for words in (["venv", venv], ["pip", "install", *lock], ["pip", "install", "--no-deps", wheel]):
        there = ["--python", sys.executable if words[0] == "venv" else venv]
        subprocess.run([find_uv_bin(), *map(str, words[:2]), "--quiet", *map(str, [*there, *words[2:]])], check=True)

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        env = {key: value for key, value in os.environ.items() if key != "MODELSTACKS_HOME"}
        command = [str(venv / "bin" / "modelstacks"), *words]
        return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)

    run.folder = folder  # type: ignore[attr-defined]
    return run


def test_the_wheel_holds_what_a_checkout_has_beside_the_package(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    inside = {name.removeprefix("builder/_program/") for name in names if name.startswith("builder/_program/")}
    assert {"templates/Dockerfile.j2", "stacks/onnx-cpu/stack.lock", "requirements.lock", "Makefile"} <= inside
    assert not [name for name in names if "__pycache__" in name or name.endswith(".pyc")]


def test_it_lists_and_checks_the_shipped_stacks(run: Run) -> None:
    rows = {row["name"]: row for row in json.loads(run("--json", "list").stdout)["stacks"]}
    assert rows["onnx-cpu"]["lock"] == "fresh"
    done = run("check", "all")
    assert done.returncode == 0, done.stderr


def test_a_shipped_stack_is_built_in_the_folder_where_the_user_stands(run: Run, engine: Engine) -> None:
    done = run("--json", "stack", "onnx-cpu", "--gpu", "none")
    assert done.returncode == 0, done.stderr
    assert "onnx-cpu: copied from the shipped stacks to" in done.stderr
    assert json.loads(done.stdout)["stacks"][0]["image"]["tag"] == f"{IMAGES}/onnx-cpu:latest"
    folder: Path = run.folder  # type: ignore[attr-defined]
    assert {path.name for path in folder.iterdir()} == {"assets", "build", "stacks", "wheels"}
    # Its own is then the one that counts, and may be changed.
    stack = folder / "stacks" / "onnx-cpu" / "stack.yaml"
    stack.write_text(stack.read_text() + "env: {MINE: own}\n")
    assert run("render", "onnx-cpu").returncode == 0
    assert 'MINE="own"' in (folder / "build" / "onnx-cpu" / "Dockerfile").read_text()


def test_its_words_are_those_of_the_command(run: Run) -> None:
    done = run("build", "ort-cudnn9")
    assert done.returncode == 2, done.stderr
    assert "modelstacks fetch" in done.stderr
    assert "make " not in done.stderr


def test_every_verb_is_spoken() -> None:
    files = {path.stem.strip("_") for path in (REPO / "builder" / "commands").glob("[a-z]*.py")}
    assert set(VERBS) == files - {"completion"}


@pytest.mark.parametrize(
    ("said", "typed"),
    [
        ("run `make lock STACK=one UPGRADE=1`", "run `modelstacks lock --upgrade one`"),
        ("make doctor SAVE_ROOT=FILE, then ask", "modelstacks doctor --save-root FILE, then ask"),
        ("`make import BUNDLE=x.tar`", "`modelstacks import x.tar`"),
        ("make the folder files/app beside stack.yaml", "make the folder files/app beside stack.yaml"),
    ],
)
def test_commands_of_make_are_spoken_as_they_are_typed(said: str, typed: str) -> None:
    assert spoken(said, installed=True) == typed
    assert spoken(said, installed=False) == said
