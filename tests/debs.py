"""Programs of Debian packages that tests need and nobody has to install: fetched by apt to the user's cache, once."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from builder.files import held

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "modelstacks" / "tests"


def unpacked(name: str, packages: Sequence[str]) -> Path:
    """The folder that these packages are unpacked in, kept under this name; skips the test where apt cannot bring
    them."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with held(CACHE / f"{name}.lock"):
        if (CACHE / name).exists():
            return CACHE / name
        if not shutil.which("apt-get"):
            pytest.skip(f"{packages[0]} is needed: it comes by apt, which this host lacks")
        words = ["apt-get", "download", "-o", "APT::Sandbox::User=root", *packages]
        done = subprocess.run(words, cwd=CACHE, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"{packages[0]} is needed: apt cannot fetch it: {done.stderr.strip()[-300:]}")
        aside = CACHE / f"{name}.new"
        shutil.rmtree(aside, ignore_errors=True)
        for package in packages:
            for deb in CACHE.glob(f"{package}_*.deb"):
                subprocess.run(["dpkg-deb", "--extract", str(deb), str(aside)], check=True)
                deb.unlink()
        aside.rename(CACHE / name)
    return CACHE / name
