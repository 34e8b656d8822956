"""What the program says goes to stderr: stdout is the started program's."""

from __future__ import annotations

import sys


def say(text: str) -> None:
    """One line."""
    sys.stderr.write(f"audio2face: {text}\n")
    sys.stderr.flush()
