"""The verbs without make, under another Python, and the environment that uv makes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPO

# A Python that runs our start, and says that it is an older one or lacks what we need.
_AS_OLD = "import sys; sys.version_info = (3, 8, 18, 'final', 0); sys.modules['click'] = None; "
_AS_BARE = "import sys; sys.modules['click'] = None; "
_START = "sys.argv = ['modelstacks', 'list']; import runpy; runpy.run_module('builder', run_name='__main__')"


@pytest.mark.parametrize(
    ("python", "said"),
    [(_AS_OLD, "this is Python 3.8, and modelstacks needs 3.10 or newer"), (_AS_BARE, "lacks the package click")],
)
def test_another_python_says_what_to_do_in_a_line(python: str, said: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", python + _START], cwd=REPO, capture_output=True, text=True, check=False
    )
    assert done.returncode == 3
    error, fix = done.stderr.splitlines()
    assert error.startswith("error: ") and said in error
    assert f"run `tools/modelstacks list` in {REPO}" in fix


@pytest.mark.parametrize("name", ["python3.8", "python3.9"])
def test_so_does_a_real_one(name: str) -> None:
    if (found := _older(name)) is None:
        pytest.skip(f"there is no {name} on this machine; the test above stands in for it")
    done = subprocess.run([found, "-m", "builder", "list"], cwd=REPO, capture_output=True, text=True, check=False)
    assert done.returncode == 3 and len(done.stderr.splitlines()) == 2, done.stderr
    assert f"this is Python {name[6:]}" in done.stderr


def _older(name: str) -> str | None:
    places = sorted(Path("~/.pyenv/versions").expanduser().glob(f"{name[6:]}.*/bin/python"))
    return str(places[0]) if places else shutil.which(name)  # pyenv's own name may lead to none


def test_a_script_does_what_make_does(tmp_path: Path) -> None:
    by_script = subprocess.run(
        [REPO / "tools" / "modelstacks", "list"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    by_make = subprocess.run(["make", "list"], cwd=REPO, capture_output=True, text=True, check=True)
    assert "onnx-cpu" in by_script.stdout
    assert by_script.stdout == by_make.stdout
    readme = (REPO / "README.md").read_text()
    assert "tools/modelstacks stack onnx-cpu" in readme


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What tools/venv.sh reads, without an environment, and a lock of two packages in place of some eighty."""
    for name in ("pyproject.toml", "README.md", "LICENSE", "tools/venv.sh", "tools/hatch_build.py", "builder"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (shutil.copytree if (REPO / name).is_dir() else shutil.copy)(REPO / name, tmp_path / name)
    kept, ours = [], False
    for line in (REPO / "requirements.lock").read_text().splitlines():
        if not line.startswith((" ", "#")):
            ours = line.split("==")[0] in {"uv", "hatchling", "editables", "packaging", "pathspec", "pluggy"} | {
                "trove-classifiers",
                "click",
            }
        kept += [line] if ours else []
    (tmp_path / "requirements.lock").write_text("\n".join(kept) + "\n")
    return tmp_path


def made(checkout: Path, **env: str) -> str:
    done = subprocess.run(
        ["tools/venv.sh"], cwd=checkout, env=os.environ | env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    here = subprocess.run(
        [checkout / ".venv/bin/python", "-c", "import click, packaging, builder; print(builder.__file__)"],
        cwd="/", capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert here.stdout.startswith(str(checkout))
    return done.stderr


def test_the_environment_is_made_by_uv_and_by_pip_where_uv_cannot(checkout: Path) -> None:
    said = made(checkout).splitlines()
    assert said[0].startswith("==> making .venv with Python ") and "packages, " in said[0]
    assert said[1:-1] == ["    bringing uv", "    uv brings the rest"], "no long silence"
    assert said[-1].startswith("    .venv is made, by uv (") and said[-1].endswith(" s)")
    assert made(checkout) == "", "it is current"
    lock = checkout / "requirements.lock"
    text = lock.read_text()
    start = text.index("uv==")
    end = next((at for at in range(start + 1, len(text)) if text[at - 1] == "\n" and text[at] not in " #"), len(text))
    lock.write_text(text[:start] + text[end:])
    said = made(checkout).splitlines()
    assert said[1:-1] == ["    bringing uv", "    uv could not; now by pip"] and ", by pip (" in said[-1]


def test_a_wheel_of_another_hash_is_refused(checkout: Path) -> None:
    lock = checkout / "requirements.lock"
    lines = lock.read_text().splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("click=="))
    lock.write_text("\n".join([*lines[: at + 1], f"    --hash=sha256:{'0' * 64}"]) + "\n")
    done = subprocess.run(["tools/venv.sh"], cwd=checkout, capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert "hash" in done.stderr.lower() and not (checkout / ".venv/modelstacks.stamp").exists()
