"""Sound to send, and the client's program as a user starts it."""

from __future__ import annotations

import json
import math
import os
import struct
import subprocess
import sys
from array import array
from pathlib import Path
from typing import Any

from tests.client.conftest import FILES, PACKAGES

ENVIRONMENT = {**os.environ, "PYTHONPATH": f"{FILES}{os.pathsep}{PACKAGES}", "PYTHONWARNINGS": "error"}
COMMAND = [sys.executable, "-m", "a2f_client"]


def tone(seconds: float, rate: int = 16000, level: float = 0.5) -> bytes:
    """A tone of 200 Hz, 16-bit mono."""
    step = 2 * math.pi * 200 / rate
    return array("h", [int(level * 32767 * math.sin(at * step)) for at in range(int(seconds * rate))]).tobytes()


def wav(path: Path, data: bytes, *, rate: int = 16000, channels: int = 1, bits: int = 16, tag: int = 1) -> Path:
    """A WAV file of these samples, with a chunk before them that has nothing to do with sound."""
    block = channels * bits // 8
    fmt = struct.pack("<HHIIHH", tag, channels, rate, rate * block, block, bits)
    chunks = b"fmt " + struct.pack("<I", len(fmt)) + fmt + b"LIST" + struct.pack("<I", 3) + b"abc\0"
    chunks += b"data" + struct.pack("<I", len(data)) + data
    path.write_bytes(b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks)
    return path


def client(*words: str | Path, stdin: bytes = b"", timeout: float = 60) -> subprocess.CompletedProcess[str]:
    """Run the program; the exit code is left to the test."""
    done = subprocess.run(
        [*COMMAND, *map(str, words)], env=ENVIRONMENT, input=stdin, capture_output=True, timeout=timeout, check=False
    )
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


def frames(text: str) -> list[dict[str, Any]]:
    """JSON lines; a torn one fails."""
    assert text == "" or text.endswith("\n")
    return [json.loads(line) for line in text.splitlines()]
