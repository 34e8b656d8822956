"""Which tests pytest runs, as it tells itself; a test that only exists proves nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache

from tests.conftest import REPO


@cache
def collected() -> frozenset[str]:
    """The node ids of all tests that a plain run of pytest collects, the long ones too, without their parameters."""
    words = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"]
    told = {**os.environ, "PYTEST_ADDOPTS": ""}  # with -v it lists them in another shape
    done = subprocess.run(words, cwd=REPO, env=told, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return frozenset(line.partition("[")[0] for line in done.stdout.splitlines() if line.startswith("tests/"))
