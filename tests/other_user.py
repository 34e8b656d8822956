"""The command line as an ordinary user, a number without an entry in /etc/passwd, runs it."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from tests.conftest import REPO

USER = 4242
_KEPT = ("PATH", "LANG", "no_proxy", "MODELSTACKS_IMAGE_PREFIX")


def words(user: int = USER, group: int | None = None) -> list[str]:
    """What stands before a command that such a user runs."""
    ids = [f"--reuid={user}", f"--regid={group or user}", "--clear-groups"]
    return ["setpriv", *ids, "--inh-caps=-all", "--bounding-set=-all", "--no-new-privs", "--"]


@functools.cache
def python() -> tuple[str, str]:
    """An interpreter that such a user can start, and the PYTHONPATH with which it has what this one has."""
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("only root, with setpriv, can run something as another user")
    path = os.pathsep.join([str(REPO), sysconfig.get_paths()["purelib"]])
    for program in (sys.executable, "/usr/bin/python3"):
        check = [*words(), "env", f"PYTHONPATH={path}", "PYTHONDONTWRITEBYTECODE=1", program]
        check += ["-c", "import builder.cli, pydantic_core, yaml"]
        if subprocess.run(check, capture_output=True, check=False, cwd="/").returncode == 0:
            return program, path
    pytest.skip(f"another user can start neither {sys.executable} nor /usr/bin/python3 of its version")


def start(
    command: Sequence[str], cwd: Path, *, env: Mapping[str, str], user: int = USER, group: int | None = None,
    umask: int = 0o022,
) -> subprocess.Popen[str]:  # fmt: skip
    """Start the command line so: an environment of little more than `env`, without HOME."""
    program, path = python()
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    return subprocess.Popen(
        [*words(user, group), program, "-m", "builder", *command], cwd=cwd, umask=umask,
        env={**kept, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1", **env},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def run(command: Sequence[str], cwd: Path, *, env: Mapping[str, str], umask: int = 0o022) -> tuple[int, str, str]:
    """The same to its end: exit code, standard output and standard error."""
    with start(command, cwd, env=env, umask=umask) as process:
        out, err = process.communicate(timeout=300)
    return process.returncode, out, err


def reachable(folder: Path) -> None:
    """Let everybody come to a folder of the test: pytest's own are closed to others."""
    for path in (folder, *folder.parents):
        if path.stat().st_uid == os.geteuid() and not path.stat().st_mode & 0o001:
            path.chmod(path.stat().st_mode | 0o011)
