"""Ctrl-C while a base is bootstrapped is answered at once, and nothing of it runs on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import REPO

_BOOT = """
import sys
from pathlib import Path
from builder.build.base import bootstrap
from builder.cli import _guarded
from builder.lock import store
from builder.settings import load
from builder.ui import Ui
ui, folder = Ui(), Path(sys.argv[2])
lock = store.read(Path(sys.argv[1]))
def boot():
    with ui.working("bootstrapping"):
        bootstrap(lock.base, load(), folder, ui)
sys.exit(_guarded(boot, ui))
"""


@pytest.mark.parametrize("seconds", [0.2, 2.0])
def test_ctrl_c_in_a_bootstrap_is_answered_at_once(seconds: float, tiny: Path, tmp_path: Path) -> None:
    words = [sys.executable, "-c", _BOOT, str(tiny / "tiny"), str(tmp_path)]
    with subprocess.Popen(words, cwd=REPO, stderr=subprocess.PIPE, text=True, start_new_session=True) as run:
        assert run.stderr is not None
        assert run.stderr.readline() == "==> bootstrapping\n"
        time.sleep(seconds)
        began = time.monotonic()
        os.killpg(run.pid, signal.SIGINT)  # as a terminal does
        said = run.stderr.read()
        assert run.wait(20) == 130, said
        took = time.monotonic() - began
    assert took < 3 and "stopped" in said, f"{took:.1f} s"
    end = time.monotonic() + 5
    while (left := _of(tmp_path)) and time.monotonic() < end:
        time.sleep(0.1)
    assert not left


def _of(folder: Path) -> list[str]:
    """Command lines that name the folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(folder) in line and "sandbox" in line:
            found.append(line)
    return found
