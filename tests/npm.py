"""Programs of npm that tests run, each kept in the user's cache by its release."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from builder.files import held
from tests.debs import CACHE


def installed(package: str, release: str) -> Path:
    """A folder that npm installed a package in; the test is skipped where it cannot."""
    folder = CACHE / f"npm-{package}-{release}"
    if not shutil.which("npm"):
        pytest.skip(f"{package} is needed: it comes by npm, which this host lacks")
    CACHE.mkdir(parents=True, exist_ok=True)
    with held(CACHE / f"npm-{package}-{release}.lock"):
        if not (folder / "node_modules" / package).exists():
            folder.mkdir(exist_ok=True)
            words = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(folder)]
            done = subprocess.run([*words, f"{package}@{release}"], capture_output=True, text=True, check=False)
            if done.returncode:
                pytest.skip(f"{package} is needed: npm cannot fetch it: {done.stderr.strip()[-300:]}")
    return folder
