"""What every room writes with: folders that are held, and scratch folders that outlive no owner."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from builder.errors import SurroundingsError
from builder.files import held_folder, scratch
from tests.conftest import REPO

_USER = """
import sys, time; from pathlib import Path; from builder.files import scratch
with scratch(Path(sys.argv[1]), "x-") as folder:
    (folder / "large").write_bytes(bytes(1 << 20)); print(folder, flush=True); time.sleep(600)
"""


def _other(top: Path) -> tuple[subprocess.Popen[str], Path]:
    """Another process that has a scratch folder, and that folder: it is there when this returns."""
    process = subprocess.Popen([sys.executable, "-c", _USER, str(top)], cwd=REPO, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def _end(process: subprocess.Popen[str], number: int) -> None:
    process.send_signal(number)
    process.communicate()


def test_a_scratch_folder_is_gone_at_the_end_and_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), scratch(tmp_path / "top", "x-") as folder:
        (folder / "file").write_text("x")
        raise RuntimeError
    assert list((tmp_path / "top").iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGHUP, signal.SIGTERM])
def test_the_next_run_removes_what_a_killed_one_left(number: int, tmp_path: Path) -> None:
    process, left = _other(tmp_path / "top")
    _end(process, number)
    assert (left / "large").is_file()
    with scratch(tmp_path / "top", "x-") as folder:
        assert list((tmp_path / "top").iterdir()) == [folder]


def test_what_a_living_run_uses_stays(tmp_path: Path) -> None:
    process, used = _other(tmp_path / "top")
    try:
        with scratch(tmp_path / "top", "x-"):
            assert (used / "large").is_file()
    finally:
        _end(process, signal.SIGKILL)


def test_a_stopped_run_is_alive(tmp_path: Path) -> None:
    process, used = _other(tmp_path / "top")
    process.send_signal(signal.SIGSTOP)
    try:
        with scratch(tmp_path / "top", "x-"):
            assert (used / "large").is_file()
    finally:
        _end(process, signal.SIGKILL)


def test_files_and_links_beside_the_scratch_folders_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "top").mkdir()
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "file").write_text("whole")
    (tmp_path / "top" / "link").symlink_to(tmp_path / "own")
    (tmp_path / "top" / "file").write_text("whole")
    with scratch(tmp_path / "top", "x-"):
        pass
    assert (tmp_path / "own" / "file").read_text() == "whole" and (tmp_path / "top" / "file").is_file()


def test_scratch_folders_that_lead_elsewhere_are_named(tmp_path: Path) -> None:
    (tmp_path / "top").symlink_to(tmp_path)
    with pytest.raises(SurroundingsError, match="a folder of ours is a link"), scratch(tmp_path / "top", "x-"):
        pass


def test_a_folder_is_held_by_one(tmp_path: Path) -> None:
    with held_folder(tmp_path) as first, held_folder(tmp_path, wait=False) as second:
        assert (first, second) == (True, False)
    with held_folder(tmp_path, wait=False) as third:
        assert third
    assert list(tmp_path.iterdir()) == []
