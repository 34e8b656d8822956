"""Packages of the default index that tests run and no lock holds, each kept in the user's cache by its release."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from builder.files import held
from tests.debs import CACHE


def fetched(package: str, release: str) -> Path:
    """A folder that pip installed a package in, programs in bin/; the test is skipped where it cannot."""
    folder = CACHE / f"{package}-{release}-{sys.implementation.cache_tag}"
    CACHE.mkdir(parents=True, exist_ok=True)
    with held(CACHE / f"{package}.lock"):
        if not folder.exists():
            aside = folder.with_suffix(".new")
            shutil.rmtree(aside, ignore_errors=True)
            words = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--only-binary"]
            words += [":all:", "--target", str(aside), f"{package}=={release}"]
            done = subprocess.run(words, capture_output=True, text=True, check=False)
            if done.returncode:
                pytest.skip(f"{package} is needed: pip cannot fetch it: {done.stderr.strip()[-300:]}")
            aside.rename(folder)
    return folder
