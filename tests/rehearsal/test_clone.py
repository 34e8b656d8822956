"""What a rehearsal's clone runs, and what it leaves open: warnings are errors, so a pipe left open ends a whole run."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest

from tests.conftest import REPO
from tests.rehearsal.clone import PROGRESS, Clone


def test_what_the_program_says_is_kept_shown_and_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "builder").symlink_to(REPO / "builder")
    monkeypatch.setenv(PROGRESS, "1")
    done = Clone(tmp_path, "none", {}).run("--json", "list", "--stacks", str(tmp_path / "nowhere"))
    gc.collect()  # where a pipe is open pytest's own look at warnings fails this test
    assert done.returncode == 2
    assert "nowhere" in done.stderr == (tmp_path / "log").read_text()
    assert "nowhere" in capsys.readouterr().err
