"""What the system refuses ends in a word and an exit code, never in a traceback."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from builder.errors import InputError
from tests.conftest import REPO, cli


def _full(*words: str, out: bool = True, err: bool = False) -> tuple[int, str]:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "builder", *words],
            cwd=REPO, stdout=full if out else subprocess.DEVNULL, stderr=full if err else subprocess.PIPE,
            text=True, check=False, timeout=300,
        )  # fmt: skip
    return done.returncode, done.stderr or ""


@pytest.mark.parametrize(
    "words", [("--json", "list"), ("--json", "check", "onnx-cpu"), ("completion", "bash"), ("--help",)]
)
def test_an_output_that_is_full_is_said(words: tuple[str, ...]) -> None:
    code, said = _full(*words)
    assert code == 3 and "the disk is full" in said and "Traceback" not in said


@pytest.mark.parametrize("out", [True, False])
def test_talk_that_is_lost_is_not_success(out: bool) -> None:
    assert _full("--set", "tls=hash-locked", "list", out=out, err=True)[0] not in (0, 120)


def test_a_home_that_cannot_be_written_is_named() -> None:
    done = cli(
        "lock", "onnx-cpu", "--upgrade", env={"MODELSTACKS_HOME": "/proc/home", "MODELSTACKS_CACHE": "/proc/cache"}
    )
    assert done.returncode == 3 and "/proc" in done.stderr and "Traceback" not in done.stderr
    assert "fix:" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_run_in_order(number: int) -> None:
    words = [sys.executable, "-m", "builder", "doctor", "--log", "-"]
    with subprocess.Popen(words, cwd=REPO, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        _until_reading(run.pid)
        run.send_signal(number)
        _, said = run.communicate(timeout=60)
    assert run.returncode == 130 and "stopped" in said and "Traceback" not in said


def _until_reading(process: int) -> None:
    """Wait until a process is shown to be reading its standard input."""
    end = time.monotonic() + 60
    while not Path(f"/proc/{process}/syscall").read_text().startswith("0 0x0 "):
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("a\u202eb", "a?b"),
        ("a\x1b[2Jb", "a?[2Jb"),
        ("a\x07b", "a?b"),
        ("a\udcffb", "a?b"),
        ("a\u2028b", "a?b"),
        ("https://u:S3CRET@h/x", "https://***@h/x"),
        ("oauth2:S3CRET://x:y@h", "oauth2:S3CRET://***@h"),
        ("caf\u00e9 \u65e5\u672c\n\ta@b", "caf\u00e9 \u65e5\u672c\n\ta@b"),
    ],
)
def test_an_error_shows_nothing_that_hides(given: str, shown: str) -> None:
    error = InputError(given, where=given, why=given, fix=given)
    assert set(error.document().values()) == {shown}
    assert str(error).count(shown) == 4


@pytest.mark.parametrize(
    "words",
    [("smoke", "--image", "a\udcff", "--checks", "python"), ("--json", "check", "\udcff"), ("render", "\udcff")],
)
def test_a_word_that_is_not_text_is_said(words: tuple[str, ...]) -> None:
    done = cli(*words)
    assert done.returncode == 2 and "Traceback" not in done.stderr and "fix:" in done.stderr, done.stderr
