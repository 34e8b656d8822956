"""Ordinary users, with a number and nothing else, whose home is another's, closed or full of surprises."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

import pytest

from tests.conftest import REPO, write_stack
from tests.other_user import USER, reachable, run

VERBS = {
    "list": (0, 0, 3),
    "check onnx-cpu": (0, 0, 3),
    "lock onnx-cpu --upgrade": (3, 3, 3),
    "fetch onnx-cpu": (3, 3, 3),
    "render onnx-cpu": (2, 2, 3),
    "export onnx-cpu": (1, 1, 3),
    "import none.bundle.tar": (2, 2, 3),
}
HOMES = ("another's", "read-only", "closed")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder of that user's own, to stand in."""
    reachable(tmp_path)
    place = tmp_path / "place"
    place.mkdir()
    os.chown(place, USER, USER)
    return place


def home(kind: str, folder: Path) -> Path:
    """A home with the folders that one has."""
    made = folder / "home"
    for name in ("wheels", "assets", "build"):
        (made / name).mkdir(parents=True)
    if kind == "read-only":
        for path in (made, *made.iterdir()):
            os.chown(path, USER, USER)
            path.chmod(0o555)
    made.chmod({"closed": 0o700, "read-only": 0o555}.get(kind, 0o755))
    return made


def said(error: str) -> list[str]:
    return [line for line in error.splitlines() if line.startswith("error:")]


@pytest.mark.parametrize("kind", HOMES)
@pytest.mark.parametrize("verb", VERBS)
def test_a_home_that_cannot_be_used_is_named_and_nothing_is_changed(
    kind: str, verb: str, place: Path, tmp_path: Path
) -> None:
    there = home(kind, tmp_path)
    (place / "none.bundle.tar").write_bytes(b"")
    code, _, error = run(
        verb.split(), place, env={"MODELSTACKS_HOME": str(there), "MODELSTACKS_INDEX": "https://localhost:1"}
    )
    assert code == VERBS[verb][HOMES.index(kind)], error
    assert "Traceback" not in error
    if code:
        assert len(said(error)) == 1 and "fix:" in error, error
    if code == 3:
        assert str(there) in error
    assert sorted(path.name for path in there.rglob("*")) == ["assets", "build", "wheels"]


@pytest.mark.parametrize("verb", ["list", "check onnx-cpu", "render onnx-cpu", "fetch onnx-cpu --offline"])
@pytest.mark.parametrize("umask", [0o000, 0o077, 0o777])
def test_a_user_without_a_home_works_in_a_folder_of_its_own_under_any_umask(verb: str, umask: int, place: Path) -> None:
    code, _, error = run(verb.split(), place, env={"MODELSTACKS_HOME": str(place)}, umask=umask)
    assert code == {"render": 2, "fetch": 1}.get(verb.split(maxsplit=1)[0], 0), error
    assert "Traceback" not in error
    for path in place.rglob("*"):
        assert path.stat().st_mode & stat.S_IRUSR


def test_the_folder_of_somebody_unknown_is_named(place: Path) -> None:
    code, _, error = run(["--set", "home=~nobody-here/x", "list"], place, env={})
    assert (code, "Traceback" in error) == (2, False), error
    assert "'~nobody-here/x' is in the home of a user that is not here" in error


@pytest.mark.parametrize("mode", [0o444, 0o000])
def test_a_stack_folder_of_another_is_read_and_never_half_locked(mode: int, place: Path, tmp_path: Path) -> None:
    stacks = tmp_path / "stacks"
    write_stack(stacks, "one", packages=["six==1.17.0"])
    for name in ("pylock.toml", "stack.lock"):
        shutil.copy(REPO / "stacks" / "onnx-cpu" / name, stacks / "one")
        (stacks / "one" / name).chmod(mode)
    before = {path: path.read_bytes() for path in (stacks / "one").iterdir()}
    env = {"MODELSTACKS_HOME": str(place), "MODELSTACKS_STACKS": str(stacks)}
    code, _, error = run(["fetch", "one", "--offline"], place, env=env)
    assert code == 2 and "Traceback" not in error and len(said(error)) == 1, error
    assert {path: path.read_bytes() for path in (stacks / "one").iterdir()} == before
