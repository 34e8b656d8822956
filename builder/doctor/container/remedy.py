"""The words of a remedy for one container: commands to try in it, and Dockerfile lines that make it last.

Texts of a container stand in them only quoted for the shell, or where they are plain paths.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from packaging.requirements import Requirement

from builder.doctor.container.model import Distribution, Evidence, Interpreter
from builder.doctor.container.plan import path_with

Lines = tuple[str, ...]
_CONF = "/etc/ld.so.conf.d/zz-nvidia-wheels.conf"


def pip(python: Interpreter, *words: str) -> str:
    """A pip command for an interpreter, by uv where the interpreter has no pip."""
    force = ["--break-system-packages"] if python.managed else []
    if python.pip:
        return shlex.join([python.python, "-m", "pip", words[0], *force, *words[1:]])
    kept = [word for word in words[1:] if word != "-y"]
    return shlex.join(["uv", "pip", words[0], "--python", python.python, *force, *kept])


def install(python: Interpreter, *requirements: str) -> str:
    """The command that installs packages, anew where one is noted as installed already: its files are not there."""
    asked = [Requirement(one) for one in requirements]
    noted = [one for one in asked if (there := python.distribution(one.name)) and _fits(there, one)]
    return pip(python, "install", *(["--force-reinstall", "--no-deps"] if noted else []), *requirements)


def _fits(there: Distribution, asked: Requirement) -> bool:
    return there.release is not None and there.release in asked.specifier


def now(evidence: Evidence, python: Interpreter, commands: Sequence[str], folders: Sequence[str] = ()) -> Lines:
    """Commands that try it in the running container, as root; none where its root is read-only or pip is missing."""
    if evidence.container.read_only or (commands and not python.pip):
        return ()
    start = f"docker exec --user 0 {evidence.container.name}"
    found = [f"{start} {command}" for command in commands]
    if folders:
        found.append(f"{start} sh -c " + shlex.quote(f'printf "%s\\n" {" ".join(folders)} > {_CONF} && ldconfig'))
    return (*found, f"docker restart {evidence.container.name}")


def lasting(python: Interpreter, commands: Sequence[str], folders: Sequence[str] = ()) -> Lines:
    """Dockerfile lines."""
    path = [f"ENV LD_LIBRARY_PATH={path_with(folders, python.library_path)}"] if folders else []
    return (*(f"RUN {command}" for command in commands), *path)
