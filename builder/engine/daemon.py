"""Start Docker Engine's daemon, with systemd or without, and wait until it answers."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from pathlib import Path

from builder.engine.client import Engine
from builder.engine.probe import EngineError
from builder.errors import SurroundingsError
from builder.ui import Ui

LOG = Path("/var/log/modelstacks-dockerd.log")
_PIDFILE = Path("/var/run/docker.pid")
_PATIENCE = 60.0  # seconds; 5 were measured on two cores
_SPEAK = 5.0  # seconds without an answer after which it is said that we wait

# What dockerd says when it cannot start, and what that means to the one who reads it.
_CAUSES = (
    (
        r"iptables|nf_tables",
        'no packet filter here: load its kernel modules, or put {"iptables": false, "bridge": "none"} '
        "into /etc/docker/daemon.json",
    ),
    (r"cgroup", "no cgroup file system here: mount one at /sys/fs/cgroup, or run this container with --privileged"),
    (r"not permitted|permission denied|root privileges", "too few rights: a container needs --privileged for this"),
    (r"no space left", "the disk of /var/lib/docker is full: free some space"),
    (
        r"configuration file|configure the Docker daemon",
        "/etc/docker/daemon.json is faulty and was left alone: mend it",
    ),
    (r"driver not supported", "no overlay file system here: give /var/lib/docker a disk of its own (ext4 or xfs)"),
)


def start(ui: Ui) -> None:
    """Start the daemon of this machine unless one is starting already, and wait until it answers.

    Raises SurroundingsError with the last lines of its log and the likely cause.
    """
    if _running():
        ui.step("waiting for the dockerd that was started")
        process = None
    elif Path("/run/systemd/system").is_dir():
        ui.step("starting docker with systemd")
        done = subprocess.run(["systemctl", "start", "docker"], capture_output=True, text=True, check=False)
        if done.returncode:
            raise SurroundingsError(
                "systemd could not start docker", why=done.stderr.strip(), fix="journalctl --unit docker says why"
            )
        process = None
    else:
        ui.step(f"starting dockerd (no systemd here); its log is {LOG}")
        process = _detached()
    _wait(process, ui)


def _running() -> bool:
    """Whether the process that dockerd's pid file names lives."""
    try:
        os.kill(int(_PIDFILE.read_text()), 0)
    except (OSError, ValueError):
        return False
    return True


def _detached() -> subprocess.Popen[bytes]:
    program = shutil.which("dockerd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin") or "dockerd"
    with LOG.open("wb") as log:
        return subprocess.Popen(
            [program], cwd="/", stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )


def _wait(process: subprocess.Popen[bytes] | None, ui: Ui) -> None:
    started = spoken = time.monotonic()
    while True:
        try:
            Engine.connect()
            return
        except EngineError as error:
            if error.lacks != "answer":
                return  # it answers; what it lacks is for the caller's own connect to say
            last = error
        now = time.monotonic()
        if process is not None and process.poll() is not None:
            raise _failed(f"dockerd ended with exit code {process.returncode}", ui)
        if now - started > _PATIENCE:
            if process is None:
                raise last
            raise _failed(f"dockerd does not answer after {_PATIENCE:.0f} s", ui)
        if now - spoken >= _SPEAK:
            spoken = now
            ui.say(f"waiting for dockerd: {now - started:.0f} s")
        time.sleep(0.3)


def _failed(problem: str, ui: Ui) -> SurroundingsError:
    lines = LOG.read_text(errors="replace").splitlines()
    for line in lines[-10:]:
        ui.sub("dockerd", line)
    return SurroundingsError(
        problem, where=str(LOG), why=lines[-1] if lines else "", fix=likely_cause("\n".join(lines[-10:]))
    )


def likely_cause(log: str) -> str:
    """What the last lines of a dockerd log ask for."""
    fatal = log.splitlines()[-1] if log else ""
    for text in (fatal, log):
        for pattern, fix in _CAUSES:
            if re.search(pattern, text, re.IGNORECASE):
                return fix
    return "the log says why"
