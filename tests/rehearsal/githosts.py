"""A fake at one edge: commits are pinned by their hash, which no mirror can forge, so `git` is made to exchange them.

The program put first on PATH hands everything to the real git, with each pinned commit in its arguments exchanged for
the commit of a stand-in repository. Servers, TLS, transfer, submodules and archives are real.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

_PROGRAM = """#!{python}
import os, sys
words = sys.argv[1:]
for pinned, there in {pairs!r}.items():
    words = [word.replace(pinned, there) for word in words]
os.execv({git!r}, ["git", *words])
"""


def exchanging(folder: Path, commits: Mapping[str, str]) -> str:
    """A folder for PATH with the fake git. commits: pinned to stand-in."""
    folder.mkdir()
    program = folder / "git"
    git = shutil.which("git")
    program.write_text(_PROGRAM.format(python=sys.executable, pairs=dict(commits), git=git))
    program.chmod(0o755)
    return str(folder)
