"""Python projects of a stack's own: built as wheels without a network, locked by hash, their programs on PATH."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from builder import settings as site
from builder.bundle.content import stack_items
from builder.engine.client import Engine
from builder.errors import InputError
from builder.lock import inputs_digest, read
from builder.spec.stacks import load_stack
from tests.conftest import IMAGES, cli, document, remove_images, write_stack

# `own-parts` is on no index: it is the project beside it.
APP = """[project]
name = "Own_App"
version = "1.0"
dependencies = ["six>=1.16", "own-parts"]
[project.scripts]
greet = "own_app:main"
"""
PARTS = """[build-system]
requires = ["flit_core>=3.4,<4"]
build-backend = "flit_core.buildapi"
[project]
name = "own-parts"
version = "2.0"
description = "parts"
"""
CODE = """import six, sys
import own_parts
def main():
    print("hello", six.PY3, own_parts.WORD, sys.argv[1:])
"""


def write(folder: Path) -> Path:
    """The stack `mine`, with two projects; its folder."""
    write_stack(folder, "mine", packages=["six==1.17.0"], extra="projects: [app, parts]")
    for name, text in {
        "app/pyproject.toml": APP,
        "app/own_app.py": CODE,
        "parts/pyproject.toml": PARTS,
        "parts/own_parts/__init__.py": "WORD = 'parts'\n",
    }.items():
        path = folder / "mine" / "files" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder / "mine"


def test_a_project_is_in_the_image_with_its_programs(engine: Engine, tmp_path: Path) -> None:
    folder = write(tmp_path)
    try:
        done = document(cli("--json", "--stacks", str(tmp_path), "stack", "mine", "--gpu", "none"))
        said = engine.run(["run", "--rm", "--user=4242", f"{IMAGES}/mine", "greet", "you"]).stdout
        assert said == "hello True parts ['you']\n"
        lock = read(folder)
        assert [(one.project, one.version, len(one.sha256)) for one in lock.built] == [
            ("own-app", "1.0", 64),
            ("own-parts", "2.0", 64),
        ]
        assert [one.project for one in lock.wheels] == ["six"]
        proved = {row["test"] for row in done["stacks"][0]["smoke"]["results"]}
        assert {"test_it_imports[package own-app]", "test_it_imports[script greet]"} <= proved
        settings = site.load(environ={"MODELSTACKS_STACKS": str(tmp_path)})
        items, _ = stack_items(load_stack("mine", settings), settings)
        assert "stacks/mine/files/app/own_app.py" in {one.member.name for one in items}

        (folder / "files/app/own_app.py").write_text(CODE.replace("hello", "goodbye"))
        refused = cli("--stacks", str(tmp_path), "build", "mine")
        assert refused.returncode == 2
        assert "the lock of mine is stale" in refused.stderr
    finally:
        remove_images(engine, "mine")


def test_every_file_of_a_project_counts(tmp_path: Path) -> None:
    folder = write(tmp_path)
    settings = site.load(environ={"MODELSTACKS_STACKS": str(tmp_path)})
    first = inputs_digest(load_stack("mine", settings))
    (folder / "files/parts/own_parts/.hidden").touch()
    assert inputs_digest(load_stack("mine", settings)) == first
    (folder / "files/parts/own_parts/more.py").touch()
    assert inputs_digest(load_stack("mine", settings)) != first


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[project", "it is not TOML"),
        ("[tool.poetry]\nname = 'a'\n", "project: it is missing"),
        ("[project]\nversion = '1'\n", "project.name: it is missing"),
        ("[project]\nname = 'six'\n", "six is also in `packages`"),
        ("[project]\nname = 'own-parts'\n", "own-parts is also in `projects`"),
        ("[project]\nname = 'a'\ndynamic = ['dependencies']\n", "its dependencies are dynamic"),
        ("[project]\nname = 'a'\ndependencies = ['b @ https://example.org/b.whl']\n", "'b' names its own address"),
        ("[project]\nname = 'a'\ndependencies = 'b'\n", "project.dependencies: it is text where a list belongs"),
        ("[build-system]\nrequires = ['=']\n[project]\nname = 'a'\n", "'=' is not a requirement"),
    ],
    ids=str,
)
def test_a_pyproject_that_cannot_be_taken_is_refused(tmp_path: Path, text: str, said: str) -> None:
    folder = write(tmp_path)
    # the second, so that the other's name is taken
    (folder / "stack.yaml").write_text((folder / "stack.yaml").read_text().replace("[app, parts]", "[parts, app]"))
    (folder / "files/app/pyproject.toml").write_text(text)
    with pytest.raises(InputError) as caught:
        load_stack("mine", site.load(environ={"MODELSTACKS_STACKS": str(tmp_path)}))
    assert said in str(caught.value)
    assert "Fix: " in str(caught.value)


def test_a_folder_that_is_no_project_is_refused(tmp_path: Path) -> None:
    folder = write(tmp_path)
    (folder / "files/app/pyproject.toml").unlink()
    with pytest.raises(InputError, match=r"there is no files/app/pyproject\.toml"):
        load_stack("mine", site.load(environ={"MODELSTACKS_STACKS": str(tmp_path)}))
    shutil.rmtree(folder / "files/app")
    with pytest.raises(InputError, match="there is no folder files/app"):
        load_stack("mine", site.load(environ={"MODELSTACKS_STACKS": str(tmp_path)}))
