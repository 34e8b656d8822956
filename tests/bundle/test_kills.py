"""Imports that are stopped at a point that is seen on the disk: killed there, or while another one comes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from builder.bundle import export
from builder.spec import Stacks
from builder.ui import Ui
from tests.bundle.conftest import Site, site
from tests.conftest import REPO
from tests.stopped import Stopped, stopped


@pytest.fixture
def bundle(exporting: Site, tmp_path: Path) -> Path:
    path = tmp_path / "mini.bundle.tar"
    export(Stacks(exporting.settings).named(["mini"]), path, exporting.settings, Ui())
    return path


# Where the staging folders are filled, and nothing of the bundle is at a final name.
_STAGED = ("builder.bundle.place:_Import._place", "", 1)


def _words(bundle: Path, place: Site, stacks: Path) -> tuple[list[str], dict[str, str]]:
    environment = {"MODELSTACKS_HOME": str(place.home), "MODELSTACKS_STACKS": str(stacks)}
    return ["import", str(bundle)], environment


def _import(bundle: Path, place: Site, stacks: Path) -> subprocess.Popen[str]:
    words, env = _words(bundle, place, stacks)
    command = [sys.executable, "-m", "builder", *words]
    return subprocess.Popen(command, cwd=REPO, env={**os.environ, **env}, stderr=subprocess.PIPE, text=True)


@contextmanager
def _staged(bundle: Path, place: Site, tmp_path: Path) -> Iterator[Stopped]:
    words, env = _words(bundle, place, place.stacks)
    with stopped(_STAGED, words, tmp_path / "stop", env=env) as run:
        assert list(place.stacks.glob(".import/*"))
        assert not (place.stacks / "mini").exists()
        yield run


def test_an_import_killed_while_staging_leaves_nothing_at_a_final_name(
    bundle: Path, there: Site, tmp_path: Path
) -> None:
    with _staged(bundle, there, tmp_path) as run:
        run.at_once()
    assert not [name for name in there.tree() if name.endswith(".whl") and ".import" not in name]
    assert not (there.stacks / "mini").exists()
    again = _import(bundle, there, there.stacks)
    said = again.communicate(timeout=120)[1]
    assert again.returncode == 0, said
    assert (there.stacks / "mini" / "stack.lock").is_file()
    assert not [name for name in there.tree() if ".import" in name]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_an_import_that_is_told_to_end_clears_its_staging(
    number: int, bundle: Path, there: Site, tmp_path: Path
) -> None:
    before = there.tree()
    with _staged(bundle, there, tmp_path) as run:
        code, said = run.ended(number)
    assert code == 130, said
    assert there.tree() == before


def test_imports_of_two_homes_into_one_folder_wait_for_each_other(bundle: Path, there: Site, tmp_path: Path) -> None:
    other = site(tmp_path / "other")
    with _staged(bundle, there, tmp_path) as first, _import(bundle, other, there.stacks) as second:
        staged = sorted(there.stacks.glob(".import/**/*"))
        with pytest.raises(subprocess.TimeoutExpired):
            second.wait(timeout=8)
        assert sorted(there.stacks.glob(".import/**/*")) == staged
        code, said = first.ended()
        assert code == 0, said
        said = second.communicate(timeout=300)[1]
        assert second.returncode == 0, said
    for home in (there.home, other.home):
        assert (home / "wheels" / "beta-1-py3-none-any.whl").is_file()
    assert not list(there.stacks.glob(".import*"))
