"""Work of some seconds is told while it runs, and what came of it stands afterwards."""

from __future__ import annotations

import re
import subprocess
import sys
import time

import pytest

from builder.ui import Ui, work
from tests.conftest import REPO
from tests.screen import on_terminal


def test_what_took_long_leaves_a_line_and_what_did_not_leaves_none(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "LONG", 0.2)
    ui = Ui()
    with ui.working("resolving") as one:
        time.sleep(0.3)
        one.done = "12 packages"
    with ui.working("looking"):
        pass
    with pytest.raises(ValueError, match="no"), ui.working("failing"):
        time.sleep(0.3)
        raise ValueError("no")
    said = capsys.readouterr().err.splitlines()
    assert said[0] == "==> resolving"
    assert re.fullmatch(r"    12 packages \(0\.\d s\)", said[1])
    assert said[2:] == ["==> looking", "==> failing"], "a failure is told by its error"


def test_off_a_terminal_a_line_comes_now_and_then(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "_AGAIN", 0.3)
    with Ui().working("compiling") as one:
        one.doing("file 3")
        time.sleep(1)
    assert re.search(r"^    [01] s, file 3$", capsys.readouterr().err, re.MULTILINE)


def test_on_a_terminal_its_seconds_count() -> None:
    code = """
import sys, time
sys.stderr = sys.stdout
from builder.ui import Ui
with Ui().working("compiling") as one:
    one.doing("file 3")
    time.sleep(2.2)
    one.done = "it is compiled"
"""
    shown = on_terminal(columns=80, program=[sys.executable, "-c", code], env={"TERM": "xterm"})
    assert "==> compiling" in shown.out and "1 s, file 3" in shown.out
    assert re.search(r"    it is compiled \(2\.\d s\)", shown.out.splitlines()[-1])


@pytest.mark.parametrize("words", [["list"], ["--version"]])
def test_quick_verbs_talk_of_nothing(words: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "builder", *words], cwd=REPO, capture_output=True, text=True, check=True
    )
    assert "==>" not in done.stderr
