"""What may break while fetching: kill -9, Ctrl-C, two runs at once, a full disk. Good files stay good."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace

import pytest

from builder.errors import SurroundingsError
from builder.fetch import fetch

_PROGRAM = """
import sys
from pathlib import Path
from builder.fetch import fetch
from builder.lock.model import Artifact
from builder.origin import Origin
from builder.settings import Settings
from builder.ui import Ui
home, index, ca, *rows = sys.argv[1:]
artifacts = [
    Artifact(kind="wheel", filename=f, size=int(s), sha256=h, origin=Origin.parse("index:default"), project="demo")
    for f, s, h in (row.split() for row in rows)
]
fetch(artifacts, {}, Settings(home=Path(home), stacks=(), index=index, ca_bundle=(Path(ca),)), Ui())
"""


def _start(settings, wanted):
    rows = [f"{item.filename} {item.size} {item.sha256}" for item in wanted]
    command = [sys.executable, "-c", _PROGRAM, str(settings.home), settings.index, str(settings.ca_bundle[0]), *rows]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def _wait_for(condition):
    for _ in range(600):
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError("it did not happen within 30 s")


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_run_ended_in_mid_download_is_taken_up_again(site, settings, ui, wheel, how):
    wanted = wheel(size=5_000_000)
    site.faults[wanted.filename] = "slow"
    part = settings.wheels / ".partial" / f"{wanted.sha256}.part"
    with _start(settings, [wanted]) as process:
        _wait_for(lambda: part.exists() and part.stat().st_size > 500_000)
        process.send_signal(how)
        _, said = process.communicate()
    assert process.returncode != 0, said
    assert not (settings.wheels / wanted.filename).exists()
    there = part.stat().st_size
    assert 500_000 < there < wanted.size
    site.faults.clear()
    fetch([wanted], {}, settings, ui)
    assert (settings.wheels / wanted.filename).read_bytes() == site.files[wanted.filename]
    assert [asked for _, path, asked, _ in site.log if "/files/" in path] == ["", f"bytes={there}-"]


def test_ctrl_c_does_not_wait_for_a_server_that_says_nothing(site, settings, ui, wheel):
    wanted = wheel(size=5_000_000)
    site.faults[wanted.filename] = "stall"
    part = settings.wheels / ".partial" / f"{wanted.sha256}.part"
    with _start(settings, [wanted]) as process:
        _wait_for(lambda: part.exists() and part.stat().st_size > 100_000)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)  # the read alone would wait for 60 s
    assert "KeyboardInterrupt" in said
    assert "Exception in thread" not in said


def test_two_runs_at_once_fetch_each_file_once(site, settings, wheel):
    wanted = [wheel(f"demo{number}", 2_000_000) for number in range(3)]
    site.faults.update({item.filename: "slow" for item in wanted})
    runs = [_start(settings, wanted) for _ in range(2)]
    for run in runs:
        with run:
            _, said = run.communicate()
        assert run.returncode == 0, said
    assert site.gets() == {f"/files/{item.filename}": 1 for item in wanted}
    for item in wanted:
        assert (settings.wheels / item.filename).read_bytes() == site.files[item.filename]


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 4 MB."""
    if os.geteuid():
        pytest.skip("mounting a small tmpfs needs root")
    folder = tmp_path / "disk"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", folder], check=False).returncode:
        pytest.skip("this machine does not let root mount a tmpfs")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_too_small_a_disk_is_refused_before_the_first_byte(site, settings, ui, wheel, small_disk):
    with pytest.raises(SurroundingsError, match="not enough room") as caught:
        fetch([wheel(size=5_000_000)], {}, replace(settings, home=small_disk), ui)
    assert "5000000 bytes" in caught.value.why
    assert not site.log


def test_a_disk_that_fills_up_on_the_way_keeps_what_came(site, settings, ui, wheel, small_disk):
    settings = replace(settings, home=small_disk)
    small, large = wheel("small", 1000), wheel("large", 3_000_000)
    fetch([small], {}, settings, ui)
    site.faults[large.filename] = "slow"
    part = settings.wheels / ".partial" / f"{large.sha256}.part"
    ballast = small_disk / "ballast"

    def fill():
        _wait_for(lambda: part.exists() and part.stat().st_size > 500_000)
        ballast.write_bytes(bytes(2_000_000))

    other = threading.Thread(target=fill)
    other.start()
    with pytest.raises(SurroundingsError, match="not enough room") as caught:
        fetch([small, large], {}, settings, ui)
    other.join()
    assert caught.value.where == str(settings.wheels)
    assert "are free" in caught.value.why
    assert not (settings.wheels / large.filename).exists()
    assert (settings.wheels / small.filename).read_bytes() == site.files[small.filename]
    ballast.unlink()
    site.faults.clear()
    assert fetch([small, large], {}, settings, ui).fetched == (large.filename,)
    assert site.sent(large.filename) < 2 * large.size, "the second run went on where the first stopped"
