"""HeyGem's start says what a mounted checkout lacks, before upstream's modules fail on it."""

from __future__ import annotations

import importlib
import subprocess
from pathlib import Path
from types import ModuleType

import pytest

from builder import settings as site
from builder.engine.client import Engine
from builder.spec.stacks import load_stack
from tests.conftest import IMAGES, REPO

START = REPO / "stacks" / "heygem" / "files"
PYTHON = (3, 8)


@pytest.fixture(scope="module")
def start() -> ModuleType:
    """heygem_start.__main__, as the image has it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(START))
        return importlib.import_module("heygem_start.__main__")


@pytest.fixture
def checkout(start: ModuleType, tmp_path: Path) -> Path:
    """A checkout that has every file, in a byte or two each."""
    for name in (*start.WANTED, "run.py", "service/trans.cpython-38-x86_64-linux-gnu.so"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    return tmp_path


def test_a_whole_checkout_has_no_faults(start: ModuleType, checkout: Path) -> None:
    assert start.faults(checkout, PYTHON) == []


def test_an_empty_folder_is_told_with_the_mount_to_give(start: ModuleType, tmp_path: Path) -> None:
    (line,) = start.faults(tmp_path, PYTHON)
    assert f"--volume /path/to/checkout:{tmp_path}" in line


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "is missing"),
        (b"", "is empty"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "is a Git LFS pointer"),
        (b"\n<!DOCTYPE html><title>404</title>", "is a web page"),
    ],
)
def test_a_file_that_is_none_is_told_by_its_name(
    start: ModuleType, checkout: Path, content: bytes | None, why: str
) -> None:
    path = checkout / "y_utils" / "liblcr.so"
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    (line,) = start.faults(checkout, PYTHON)
    assert line.startswith(f"{path} {why}; ")


def test_every_missing_file_is_told_at_once(start: ModuleType, checkout: Path) -> None:
    for name in start.WANTED:
        (checkout / name).unlink()
    assert len(start.faults(checkout, PYTHON)) == len(start.WANTED)


def test_modules_for_another_python_are_told(start: ModuleType, checkout: Path) -> None:
    (line,) = start.faults(checkout, (3, 10))
    assert "modules for Python 38, this is 310" in line


def test_a_checkout_without_compiled_modules_is_told(start: ModuleType, checkout: Path) -> None:
    (checkout / "service/trans.cpython-38-x86_64-linux-gnu.so").unlink()
    (line,) = start.faults(checkout, PYTHON)
    assert "no compiled modules (*.cpython-38-*.so)" in line


@pytest.mark.parametrize("name", ["heygem", "heygem-cu118"])
def test_the_stack_mounts_just_what_the_start_wants(start: ModuleType, name: str) -> None:
    stack = load_stack(name, site.load())
    assert sorted(f"{one.into}/{one.filename}" for one in stack.mounted) == sorted(f"/code/{it}" for it in start.WANTED)
    assert stack.baked == ()


def test_both_stacks_differ_in_cuda_and_onnxruntime_alone() -> None:
    one, other = (load_stack(name, site.load()) for name in ("heygem", "heygem-cu118"))
    changed = {key for key in type(one).model_fields if getattr(one, key) != getattr(other, key)}
    assert changed == {"name", "summary", "family", "cuda", "torch", "packages", "indexes", "libraries"}
    ours = {item for item in one.packages if item not in other.packages}
    assert ours == {"torch==2.4.1", "torchvision==0.19.1", "torchaudio==2.4.1", "onnxruntime-gpu==1.19.2"}


def contained(engine: Engine, code: Path, *words: str) -> subprocess.CompletedProcess[str]:
    options = ["--rm", "--network", "none", "--volume", f"{code}:/code:ro", "--volume", f"{START}:/opt/heygem:ro"]
    options += ["--env", "PYTHONPATH=/opt/heygem", "--workdir", "/code", "--entrypoint", "/opt/venv/bin/python"]
    return engine.run(["run", *options, f"{IMAGES}/tiny", "-m", "heygem_start", *words], check=False)


def test_in_a_container_it_stops_before_the_program(engine: Engine, tiny: Path, tmp_path: Path) -> None:
    done = contained(engine, tmp_path, "python", "-c", "print('ran')")
    assert (done.returncode, done.stdout) == (2, "")
    assert "heygem: /code is no checkout" in done.stderr


def test_in_a_container_a_whole_checkout_runs(engine: Engine, tiny: Path, checkout: Path) -> None:
    # the container's Python is 3.11: modules for it, as the image's are for 3.8
    (checkout / "service/trans.cpython-38-x86_64-linux-gnu.so").rename(checkout / "service/trans.cpython-311-x.so")
    (checkout / "run.py").write_text("import sys; print(sys.argv)")
    checkout.chmod(0o755)
    done = contained(engine, checkout, "run.py", "--audio_path", "a b.wav")
    assert (done.returncode, done.stdout) == (0, "['run.py', '--audio_path', 'a b.wav']\n"), done.stderr


def test_a_shell_is_let_in_to_look(engine: Engine, tiny: Path, tmp_path: Path) -> None:
    assert contained(engine, tmp_path, "ls", "/code").returncode == 0
