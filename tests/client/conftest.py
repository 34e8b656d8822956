"""The client of stacks/audio2face-client as a user runs it, with the packages that its image has."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

from builder.files import held
from tests.conftest import REPO

STACK = REPO / "stacks" / "audio2face-client"
FILES = STACK / "files"


def _packages() -> Path:
    """A folder with the packages that stack.yaml pins, installed once to the user's cache for this Python."""
    pins = yaml.safe_load((STACK / "stack.yaml").read_text())["packages"]
    key = hashlib.sha256(repr((pins, sys.version, sys.platform)).encode()).hexdigest()[:12]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "modelstacks" / "tests"
    folder = cache / f"client-{key}"
    with held(cache / "client.lock"):
        if not folder.exists():
            aside = cache / f"client-{key}.new"
            shutil.rmtree(aside, ignore_errors=True)
            words = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--only-binary"]
            subprocess.run([*words, ":all:", "--target", str(aside), *pins], check=True)
            aside.rename(folder)
    return folder


PACKAGES = _packages()
sys.path[:0] = [str(FILES), str(PACKAGES)]
