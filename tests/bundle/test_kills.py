"""Imports that are stopped at a point that is seen on the disk: killed there, or while another one comes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from builder.bundle import export
from builder.spec import Stacks
from builder.ui import Ui
from tests.bundle.conftest import Site, site
from tests.conftest import REPO


@pytest.fixture
def bundle(exporting: Site, tmp_path: Path) -> Path:
    path = tmp_path / "mini.bundle.tar"
    export(Stacks(exporting.settings).named(["mini"]), path, exporting.settings, Ui())
    return path


def _import(bundle: Path, place: Site, stacks: Path) -> subprocess.Popen[str]:
    words = [sys.executable, "-m", "builder", "import", str(bundle)]
    env = {**os.environ, "MODELSTACKS_HOME": str(place.home), "MODELSTACKS_STACKS": str(stacks)}
    return subprocess.Popen(words, cwd=REPO, env=env, stderr=subprocess.PIPE, text=True)


def _stopped_in_staging(run: subprocess.Popen[str], stacks: Path) -> None:
    """Stop the run where its staging folder is seen among the stacks, and nothing of the bundle at a final name."""
    end = time.monotonic() + 60
    while not list(stacks.glob(".import/*")):
        assert run.poll() is None and time.monotonic() < end, "it was never seen staging"
    run.send_signal(signal.SIGSTOP)
    assert list(stacks.glob(".import/*")) and not (stacks / "mini").exists()


def test_an_import_killed_while_staging_leaves_nothing_at_a_final_name(bundle: Path, there: Site) -> None:
    run = _import(bundle, there, there.stacks)
    _stopped_in_staging(run, there.stacks)
    run.kill()
    run.communicate()
    assert not [name for name in there.tree() if name.endswith(".whl") and ".import" not in name]
    assert not (there.stacks / "mini").exists()
    again = _import(bundle, there, there.stacks)
    said = again.communicate(timeout=120)[1]
    assert again.returncode == 0, said
    assert (there.stacks / "mini" / "stack.lock").is_file()
    assert not [name for name in there.tree() if ".import" in name]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_an_import_that_is_told_to_end_clears_its_staging(number: int, bundle: Path, there: Site) -> None:
    before = there.tree()
    run = _import(bundle, there, there.stacks)
    _stopped_in_staging(run, there.stacks)
    run.send_signal(number)
    run.send_signal(signal.SIGCONT)
    said = run.communicate(timeout=120)[1]
    assert run.returncode == 130, said
    assert there.tree() == before


def test_imports_of_two_homes_into_one_folder_wait_for_each_other(bundle: Path, there: Site, tmp_path: Path) -> None:
    other = site(tmp_path / "other")
    first = _import(bundle, there, there.stacks)
    _stopped_in_staging(first, there.stacks)
    staged = sorted(there.stacks.glob(".import/**/*"))
    second = _import(bundle, other, there.stacks)
    with pytest.raises(subprocess.TimeoutExpired):
        second.wait(timeout=8)
    assert sorted(there.stacks.glob(".import/**/*")) == staged
    first.send_signal(signal.SIGCONT)
    for run in (first, second):
        said = run.communicate(timeout=120)[1]
        assert run.returncode == 0, said
    for home in (there.home, other.home):
        assert (home / "wheels" / "beta-1-py3-none-any.whl").is_file()
    assert not list(there.stacks.glob(".import*"))
