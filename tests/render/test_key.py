"""The word of what an image is made of, and what is remembered of it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from builder import kept as memo
from builder import settings as site
from builder.lock import StackLock
from builder.render import build_key, key, render_dockerfile
from builder.settings import Settings
from builder.spec.model import Stack
from tests.render.test_dockerfile import TEMPLATES

NOUGHTS = b"0" * 64


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings whose home is empty, and whose templates are a copy."""
    shutil.copytree(TEMPLATES, tmp_path / "templates")
    monkeypatch.setattr(Settings, "templates", tmp_path / "templates")
    return replace(site.load(environ={}), home=tmp_path)


@pytest.fixture
def rendered(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The stacks whose Dockerfile is written, in turn."""
    names: list[str] = []
    render = render_dockerfile

    def noted(stack: Stack, lock: StackLock, templates: Path) -> str:
        names.append(stack.name)
        return render(stack, lock, templates)

    monkeypatch.setattr(key, "render_dockerfile", noted)
    return names


def test_a_dockerfile_is_written_once_for_its_key(
    stack: Stack, lock: StackLock, settings: Settings, rendered: list[str]
) -> None:
    first = build_key(stack, lock, settings)
    assert build_key(stack, lock, settings) == first and rendered == [stack.name]
    shutil.rmtree(settings.build)
    assert build_key(stack, lock, settings) == first and len(rendered) == 2


def test_whatever_a_dockerfile_is_made_of_gives_another_key(
    stack: Stack, lock: StackLock, settings: Settings, rendered: list[str]
) -> None:
    keys = [build_key(stack, lock, settings)]
    keys.append(build_key(stack.model_copy(update={"env": {"OTHER": "one"}}), lock, settings))
    keys.append(build_key(stack, replace(lock, digest="e" * 64), settings))
    template = settings.templates / "labels.j2"
    template.write_text(template.read_text() + "# another line\n")
    keys.append(build_key(stack, lock, settings))
    assert len(set(keys)) == len(rendered) == 4


@pytest.mark.parametrize("name", ["spec/model.py", "render/sent/run.py"])  # the second goes into images itself
def test_what_the_program_became_is_no_reason_for_an_old_key(
    name: str,
    stack: Stack,
    lock: StackLock,
    settings: Settings,
    rendered: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shutil.copytree(memo._PROGRAM, tmp_path / "program", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(memo, "_PROGRAM", tmp_path / "program")
    first = build_key(stack, lock, settings)
    with (tmp_path / "program" / name).open("a") as stream:
        stream.write("# more\n")
    assert build_key(stack, lock, settings) == first and len(rendered) == 2


@pytest.mark.parametrize("kept", [b"", b"\xff\xfe", b"sha256:" + NOUGHTS, NOUGHTS + b" sha256:" + NOUGHTS + b"\n"])
def test_what_is_remembered_wrongly_is_worked_out_again(
    stack: Stack, lock: StackLock, settings: Settings, kept: bytes
) -> None:
    first = build_key(stack, lock, settings)
    path = settings.build / stack.name / ".key"
    good = path.read_bytes()
    path.write_bytes(kept)
    assert build_key(stack, lock, settings) == first and path.read_bytes() == good


def test_where_nothing_can_be_remembered_the_key_is_the_same(
    stack: Stack, lock: StackLock, settings: Settings, rendered: list[str]
) -> None:
    first = build_key(stack, lock, settings)
    path = settings.build / stack.name / ".key"
    path.unlink()
    path.mkdir()
    assert build_key(stack, lock, settings) == first and len(rendered) == 2


def test_a_run_that_renders_nothing_loads_no_jinja() -> None:
    words = "import sys, builder.stack, builder.render.key; sys.exit('jinja2' in sys.modules)"
    subprocess.run([sys.executable, "-c", words], check=True)
