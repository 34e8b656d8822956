"""The verb `engine`: do nothing where a usable engine answers, else install one from the distribution and start it."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from builder.engine.client import Engine
from builder.engine.daemon import start
from builder.engine.hosts import Have, Plan, plan
from builder.engine.probe import EngineError
from builder.errors import JobError, SurroundingsError
from builder.net.archive import archive
from builder.net.urls import clean_text
from builder.settings import load
from builder.ui import Ui

_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
_INSTALL = ("install", "--yes", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=120")


def ensure(ui: Ui) -> dict[str, Any]:
    """Have a usable engine, and mmdebstrap, on this machine; returns {engine: {...}, installed: [...], started: bool}.

    Does nothing where both are there. As root on Debian or Ubuntu it says what it will do, installs and starts.
    Raises SurroundingsError naming what to do by hand elsewhere, JobError when an installation fails.
    """
    lacks = _lacks()
    todo = plan(_os_release(), _have(lacks))
    if todo.by_hand:
        missing = "no usable container engine" if lacks else "no mmdebstrap"
        raise SurroundingsError(
            f"there is {missing} on this machine",
            why="only root on Debian or Ubuntu can have it installed",
            fix="; ".join(todo.by_hand),
        )
    if todo.packages:
        _install(todo, ui)
    if todo.start:
        start(ui)
    engine = Engine.connect()
    info = engine.info
    if todo.nothing:
        ui.tell(f"nothing to do: Docker Engine {info.version} with buildx {info.buildx} answers, mmdebstrap is there")
    else:
        ui.tell(f"Docker Engine {info.version} with buildx {info.buildx} answers at {info.host}")
    return {
        "engine": {"host": info.host, "version": info.version, "buildx": info.buildx, "store": info.store},
        "installed": [package.partition("/")[0] for package in todo.packages],
        "started": todo.start,
    }


def _lacks() -> str:
    """What keeps the engine from being usable, "" when nothing does. Raises what installing cannot cure."""
    try:
        Engine.connect()
    except EngineError as error:
        if error.lacks not in ("client", "answer", "buildx"):
            raise
        return error.lacks
    return ""


def _have(lacks: str) -> Have:
    docker = shutil.which("docker") is not None
    return Have(
        engine=lacks in ("", "buildx"),
        docker=docker and shutil.which("dockerd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin") is not None,
        buildx=docker
        and not subprocess.run(["docker", "buildx", "version"], capture_output=True, check=False).returncode,
        mmdebstrap=shutil.which("mmdebstrap") is not None,
        root=os.geteuid() == 0,
        apt=shutil.which("apt-get") is not None,
        wsl="microsoft" in platform.release().lower(),
    )


def _os_release() -> dict[str, str]:
    if platform.system() == "Darwin":
        return {"ID": "macos"}
    try:
        return platform.freedesktop_os_release()
    except OSError:
        return {}


def _install(todo: Plan, ui: Ui) -> None:
    """Install the plan's packages; refuses when that would upgrade or remove anything."""
    ui.step(
        f"installing {', '.join(todo.packages)} with apt"
        + (f" ({todo.borrow} beside {todo.suite})" * bool(todo.borrow))
    )
    with _borrowed_sources(todo) as options:
        if _apt([*options, "update"], ui):
            ui.warn("apt-get update did not reach every source; going on with the package lists there are")
        simulated = _simulate([*options, *_INSTALL, *todo.packages])
        new, upgraded, removed = changes(simulated)
        if upgraded or removed:
            what = [f"upgrade {', '.join(upgraded)}"] * bool(upgraded) + [f"remove {', '.join(removed)}"] * bool(
                removed
            )
            raise SurroundingsError(
                f"installing would also {' and '.join(what)}, so nothing was done",
                fix=f"install by hand what you find right: {' '.join(todo.packages)}",
            )
        ui.say(f"{len(new)} new packages, nothing upgraded or removed: {' '.join(new)}")
        if code := _apt([*options, *_INSTALL, *todo.packages], ui):
            raise JobError(f"apt-get install failed with exit code {code}", fix="see apt's words above")


@contextmanager
def _borrowed_sources(todo: Plan) -> Iterator[list[str]]:
    """apt options that read both suites from the host's own mirror, in a folder of their own; none without a loan."""
    if not todo.borrow:
        yield []
        return
    mirror = archive(load(), "debian")
    with tempfile.TemporaryDirectory(prefix="modelstacks-apt-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # apt reads it as its own unprivileged user
        for part in ("lists/partial", "cache/archives/partial"):
            (folder / part).mkdir(parents=True)
        source = "deb [signed-by={}] {} {} main\n"
        sources = folder / "sources.list"
        sources.write_text("".join(source.format(_KEYRING, mirror, suite) for suite in (todo.suite, todo.borrow)))
        preferences = folder / "preferences"
        preferences.write_text(f"Package: *\nPin: release n={todo.borrow}\nPin-Priority: 100\n")
        settings = {
            "Dir::Etc::sourcelist": sources,
            "Dir::Etc::sourceparts": "/dev/null",
            "Dir::Etc::preferences": preferences,
            "Dir::Etc::preferencesparts": "/dev/null",
            "Dir::State::Lists": folder / "lists",
            "Dir::Cache": folder / "cache",
        }
        yield [word for key, value in settings.items() for word in ("-o", f"{key}={value}")]


def changes(simulation: str) -> tuple[list[str], list[str], list[str]]:
    """Names of the packages that the text of `apt-get -s` would newly install, upgrade and remove."""
    new = re.findall(r"^Inst (\S+) \(", simulation, re.MULTILINE)
    upgraded = re.findall(r"^Inst (\S+) \[", simulation, re.MULTILINE)
    removed = re.findall(r"^(?:Remv|Purg) (\S+)", simulation, re.MULTILINE)
    return new, upgraded, removed


def _environment() -> dict[str, str]:
    return {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}


def _simulate(args: Sequence[str]) -> str:
    done = subprocess.run(["apt-get", "-s", *args], env=_environment(), capture_output=True, text=True, check=False)
    if done.returncode:
        why = " ".join(line for line in done.stderr.splitlines() if line.startswith("E:"))
        raise SurroundingsError(
            "apt cannot install what is needed",
            why=why,
            fix="make apt's sources name the archive, with its universe part on Ubuntu",
        )
    return done.stdout


def _apt(args: Sequence[str], ui: Ui) -> int:
    """Run apt-get, its lines shown as they come; returns its exit code."""
    with subprocess.Popen(
        ["apt-get", "-q", *args],
        env=_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        assert process.stdout is not None  # noqa: S101
        for line in process.stdout:
            if line.strip():
                ui.sub("apt", clean_text(line.rstrip()))
    return process.returncode
