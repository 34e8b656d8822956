"""A second Docker Engine for tests: its own data, socket and image store, ended by its own pid."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest

Store = Literal["overlay2", "containerd"]
_PATIENCE = 60.0


@dataclass(frozen=True)
class Remote:
    """Where an engine stands that is reached over a network: a network namespace, and its address there ("": none).

    config, environment: what is said to dockerd beside, such as its TLS files.
    """

    namespace: str
    address: str
    config: dict[str, object] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)


@dataclass
class PrivateEngine:
    """host: its endpoint, unix://…. pid: of dockerd. folder: holds its data, configuration and log."""

    host: str
    pid: int
    folder: Path
    process: subprocess.Popen[bytes]

    def stop(self, *, kill: bool = False) -> None:
        """End it, as a shutdown does (SIGTERM), or at once (SIGKILL); stopping twice is fine."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
            self.process.wait(timeout=60)

    @property
    def log(self) -> str:
        """What it said so far."""
        return (self.folder / "log").read_text(errors="replace")


@contextmanager
def private_engine(
    store: Store = "overlay2", tmp_path: Path | None = None, remote: Remote | None = None
) -> Iterator[PrivateEngine]:
    """Start an engine with an image store of the kind asked for, and take all of it away at the end.

    tmp_path: where its data goes, /tmp when None; needs a file system that overlay can lie on. remote: a network that
    it stands in and answers from too; without one it has none.
    Skips the test, with the reason, when this is not root or there is no dockerd.
    """
    program = shutil.which("dockerd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if os.geteuid() != 0 or program is None:
        pytest.skip("a private engine needs root and dockerd")
    folder = Path(tempfile.mkdtemp(prefix="engine-", dir=tmp_path))
    short = Path(tempfile.mkdtemp(prefix="dk"))  # a socket's path may have 107 characters at most
    process = _start(program, store, folder, short, remote)
    engine = PrivateEngine(f"unix://{short}/sock", process.pid, folder, process)
    try:
        _wait(engine)
        yield engine
    finally:
        engine.stop()
        _end_containerd(short)
        _unmount([folder, short])
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(short, ignore_errors=True)


def _start(program: str, store: Store, folder: Path, short: Path, remote: Remote | None) -> subprocess.Popen[bytes]:
    config: dict[str, object] = {
        "data-root": str(folder / "data"),
        "exec-root": str(short / "exec"),
        "pidfile": str(short / "pid"),
        "hosts": [f"unix://{short}/sock"],
        "bridge": "none",
        "iptables": False,
        "ip6tables": False,
        "features": {"containerd-snapshotter": store == "containerd"},
        **({"storage-driver": "overlay2"} if store == "overlay2" else {}),
    }
    apart = ["unshare", "--net"]
    if remote:
        apart = ["nsenter", f"--net=/run/netns/{remote.namespace}"]
        config |= remote.config
        config["hosts"] = [f"unix://{short}/sock", *([f"tcp://{remote.address}:2376"] if remote.address else [])]
    (folder / "daemon.json").write_text(json.dumps(config))
    with (folder / "log").open("wb") as log:
        # In a network of its own: an engine without a bridge takes away the docker0 it finds.
        return subprocess.Popen(
            [*apart, program, "--config-file", str(folder / "daemon.json")],
            env={**os.environ, **(remote.environment if remote else {})},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _wait(engine: PrivateEngine) -> None:
    command = ["docker", "--host", engine.host, "version"]
    end = time.monotonic() + _PATIENCE
    while subprocess.run(command, capture_output=True, check=False).returncode:
        if engine.process.poll() is not None or time.monotonic() > end:
            raise RuntimeError(f"the private engine did not start:\n{engine.log[-2000:]}")
        time.sleep(0.2)


def _end_containerd(short: Path) -> None:
    """End the containerd that a killed dockerd leaves behind; its pid file is in the exec root."""
    pidfile = short / "exec" / "containerd" / "containerd.pid"
    try:
        pid = int(pidfile.read_text())
        if str(short) not in Path(f"/proc/{pid}/cmdline").read_bytes().decode():
            return  # the number has gone to another process
        os.kill(pid, signal.SIGTERM)
        while Path(f"/proc/{pid}").exists() and "Z" not in Path(f"/proc/{pid}/stat").read_text().split()[2]:
            time.sleep(0.05)
    except (OSError, ValueError):
        return


def _unmount(folders: list[Path]) -> None:
    """Take away mounts left inside the folders, innermost first."""
    lines = Path("/proc/self/mounts").read_text().splitlines()
    inside = [line.split()[1] for line in lines if any(line.split()[1].startswith(f"{folder}/") for folder in folders)]
    for place in sorted(inside, key=len, reverse=True):
        subprocess.run(["umount", "--lazy", place], check=False, capture_output=True)
