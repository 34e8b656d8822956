"""Starting the daemon where there is no systemd: for real, in namespaces of its own, on the default socket there."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not all(shutil.which(name, path=_PATH) for name in ("dockerd", "unshare", "mmdebstrap")),
    reason="needs root, dockerd, unshare and mmdebstrap",
)

# What the shell does before the verb: hide this machine's own engine, data, log and configuration.
_HIDE = """
set -e
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /var/log
mkdir -p /var/lib/docker "$1/data" "$1/upper" "$1/work"
mount --bind "$1/data" /var/lib/docker
mount -t overlay -o "lowerdir=/etc,upperdir=$1/upper,workdir=$1/work" overlay /etc
mkdir -p /etc/docker
rm -f /etc/docker/daemon.json
[ -z "$2" ] || printf %s "$2" > /etc/docker/daemon.json
shift 2
"$@"
code=$?
cat /var/log/modelstacks-dockerd.log >&2 || true
"""


def engine_verb(folder: Path, config: str) -> subprocess.CompletedProcess[str]:
    """`modelstacks --json engine` in mount, network and pid namespaces; all it started dies with them."""
    namespaces = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]
    verb = [sys.executable, "-m", "builder", "--json", "engine"]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("DOCKER_")}
    return subprocess.run(
        [*namespaces, "sh", "-c", _HIDE, "sh", str(folder), config, *verb],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
        env=environment,
    )


def test_dockerd_is_started_and_waited_for(tmp_path: Path) -> None:
    done = engine_verb(tmp_path, "")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert (said["started"], said["installed"]) == (True, [])
    assert said["engine"]["host"] == "unix:///var/run/docker.sock"
    assert "starting dockerd (no systemd here); its log is /var/log/modelstacks-dockerd.log" in done.stderr


def test_a_daemon_that_cannot_start_shows_its_log_and_the_cause(tmp_path: Path) -> None:
    done = engine_verb(tmp_path, '{"no such setting": 1}')
    assert done.returncode == 3, done.stderr
    assert json.loads(done.stdout)["errors"][0]["problem"] == "dockerd ended with exit code 1"
    assert "/etc/docker/daemon.json is faulty and was left alone: mend it" in done.stderr
    assert "dockerd |" in done.stderr
