"""What runs in a sandbox sees and changes nothing of this machine; what honest packages need works there."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tarfile
import time
from dataclasses import replace
from pathlib import Path

import pytest

from builder import settings as site_settings
from builder.build import base, sandbox
from builder.errors import SurroundingsError
from builder.fetch import fetch
from builder.files import sha256_of
from builder.lock import read
from builder.lock.model import Artifact
from builder.origin import Origin
from builder.ui import Ui
from tests.conftest import REPO

# The way out of a chroot that any root has: a folder that is open above the new root.
_CLIMB = "mkdir('/tmp/x'); chroot('/tmp/x'); chdir('..') for 1..64; chroot('.');"


def ran(tmp_path: Path, script: str, **environment: str) -> tuple[int, str]:
    """The exit code and standard output of a shell script inside; `shown` of tmp_path is /shown there."""
    (tmp_path / "shown").mkdir(exist_ok=True)
    inside, out = tmp_path / "inside", tmp_path / "out"
    inside.mkdir()
    shown = {tmp_path / "shown": "/shown"}
    done = sandbox.run(["/bin/sh", "-c", script], inside, shown=shown, environment=environment, out=out)
    return done.returncode, out.read_text()


@pytest.mark.parametrize(
    ("what", "script"),
    [
        ("a file of this machine", "cat {marker}"),
        ("a file of this machine, out of the chroot", f"perl -e \"{_CLIMB} exec 'cat', '{{marker}}'\""),
        ("a file of this machine, by a process", "cat /proc/*/root{marker}"),
        ("a file of this machine, below what is mounted", "umount -l /proc /usr; cat {marker} /proc/1/root{marker}"),
        ("a file that is written outside", "echo broken >{marker}"),
        ("a file written to what is shown", "echo broken >/shown/new"),
        ("a file written to a program's folder", "echo broken >/usr/new"),
        ("a program's folder made writable", "mount -o remount,bind,rw /usr && echo broken >/usr/new"),
        ("a file that only root may read", "cat /etc/shadow || cat /shown/secret"),
        ("the disk", "mknod /tmp/disk b {disk} && cat /tmp/disk"),
        ("the memory", "mknod /tmp/memory c 1 1 && cat /tmp/memory"),
        ("a process", "kill -0 {process}"),
        ("the port of a server", "perl -MIO::Socket::INET -e 'exit !IO::Socket::INET->new(q(127.0.0.1:{port}))'"),
        ("the engine's socket", "ls /run/docker.sock /var/run/docker.sock"),
        ("a socket of the kernel's", "perl -MIO::Socket::UNIX -e 'exit !IO::Socket::UNIX->new(qq(\\0{abstract}))'"),
        ("the kernel's keys", "echo h >/proc/sysrq-trigger"),
        ("the kernel's settings", "echo 1 >/proc/sys/vm/overcommit_memory"),
        ("a network card", "test -n \"$(ls /sys/class/net | grep -v '^lo$')\""),
        ("another namespace", "nsenter --target 1 --mount --net cat {marker}"),
        ("a variable of the caller", "test -n \"$SECRET_OF_THE_CALLER\""),
    ],
)  # fmt: skip
def test_nothing_comes_out(what: str, script: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_OF_THE_CALLER", "secret")
    folder = tmp_path / "folder"
    folder.mkdir()
    marker = folder / "marker"
    marker.write_text("whole")
    for path in (folder, marker):
        path.chmod(0o777)
    (tmp_path / "shown").mkdir(mode=0o777)
    (tmp_path / "shown" / "secret").write_text("secret")
    (tmp_path / "shown" / "secret").chmod(0o600)
    device = tmp_path.stat().st_dev
    abstract = f"modelstacks-test-{os.getpid()}"
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as local:
        local.bind(f"\0{abstract}")
        local.listen()
        words = {"marker": marker, "folder": folder, "disk": f"{os.major(device)} {os.minor(device)}"}
        words |= {"process": os.getpid(), "port": server.getsockname()[1], "abstract": abstract}
        for name, value in words.items():
            script = script.replace(f"{{{name}}}", str(value))
        code, out = ran(tmp_path, f"exec 2>/dev/null\n{script}")
        server.settimeout(0)
        with pytest.raises(BlockingIOError):
            server.accept()
    assert (code != 0, out.replace("secret", "whole").count("whole")) == (True, 0), what
    assert marker.read_text() == "whole"
    assert not list((tmp_path / "shown").glob("new")) and not Path("/usr/new").exists()


@pytest.mark.parametrize(
    "script",
    [
        "mkdir -p /tmp/r/proc && mount -t proc proc /tmp/r/proc && umount /tmp/r/proc",
        "touch /tmp/f && chown 101:8 /tmp/f && test $(stat -c %u:%g /tmp/f) = 101:8",
        "touch /tmp/f && chown 65534 /tmp/f && chmod 4755 /tmp/f",
        "mkdir /tmp/r && mount --rbind /usr /tmp/r && test -e /tmp/r/bin/env",
        "hostname inside && test $(hostname) = inside",
        "echo read from $(cat /shown/text) >/dev/null",
        "head -c 1 /dev/urandom >/dev/null && echo >/dev/null && test -e /proc/self/fd/0",
        "perl -e 'chroot(q(/shown)) or die; open(F, q(/text)) or die'",
        "awk 'BEGIN { exit 0 }'",
    ],
)
def test_what_honest_scripts_do_works(script: str, tmp_path: Path) -> None:
    (tmp_path / "shown").mkdir()
    (tmp_path / "shown" / "text").write_text("text")
    name = socket.gethostname()
    assert ran(tmp_path, f"set -e\n{script}\necho done") == (0, "done\n")
    assert socket.gethostname() == name


def test_the_exit_code_and_last_words_come_out(tmp_path: Path) -> None:
    (tmp_path / "inside").mkdir()
    script = "seq 1 100000 >&2; echo E: last >&2; exit 7"
    done = sandbox.run(["sh", "-c", script], tmp_path / "inside", shown={}, environment={}, out=tmp_path / "out")
    assert (done.returncode, done.said[-1], len(done.said)) == (7, "E: last", 200)


def test_what_is_left_running_ends_with_the_program(tmp_path: Path) -> None:
    word = f"{time.time():.6f}"
    assert ran(tmp_path, f"setsid sleep 9{word} >/dev/null 2>&1 & echo done") == (0, "done\n")
    assert not _running(word)


def test_a_killed_run_leaves_no_process(tmp_path: Path) -> None:
    word = f"9{time.time():.6f}"
    code = (
        "import sys; from pathlib import Path; from builder.build import sandbox; f = Path(sys.argv[1]);"
        "sandbox.run(['sleep', sys.argv[2]], f / 'inside', shown={}, environment={}, out=f / 'out')"
    )
    (tmp_path / "inside").mkdir()
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path), word], cwd=REPO) as run:
        _until(lambda: any(line.startswith(b"sleep") for line in _running(word)))
        run.send_signal(signal.SIGKILL)
    _until(lambda: not _running(word))


def test_a_user_without_ids_is_told_and_nothing_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 54321)  # in this process alone: the kernel is asked as ever
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(SurroundingsError, match="cannot shut in") as caught:
        ran(tmp_path, "echo run")
    assert "newuidmap" in caught.value.why and "as root" in caught.value.fix


def test_a_kernel_that_refuses_is_told_and_nothing_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # What is to be shown and cannot be: the first step that fails ends the run.
    monkeypatch.setattr(sandbox, "_skeleton", lambda folder: ["/usr", "/nonexistent"])
    with pytest.raises(SurroundingsError, match="cannot shut in") as caught:
        ran(tmp_path, "echo run")
    assert "/nonexistent" in caught.value.why
    assert (tmp_path / "out").read_text() == ""


def _running(word: str) -> list[bytes]:
    """The command lines on this machine that have a word, but for this process."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes()
        except OSError:
            continue
        if word.encode() in line and int(path.parent.name) != os.getpid():
            found.append(line)
    return found


def _until(true: object, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not true():  # type: ignore[operator]
        assert time.monotonic() < end
        time.sleep(0.05)


_POSTINST = """#!/bin/sh
{{
    cat {marker} && echo READ
    perl -e "{climb} exec 'cat', '{marker}'" && echo CLIMBED
    perl -e "{climb} open(F, '>>', '{marker}') or exit 1; print F 'broken'" && echo WROTE
    mknod /disk b 8 0 && echo DEVICE
    kill -0 {process} && echo PROCESS
    python3 -c "import socket; socket.create_connection(('127.0.0.1', {port}), 5)" && echo NETWORK
    cat /proc/*/root{marker} && echo PROC
    echo END
}} >/var/lib/harmless 2>/dev/null
exit 0
"""


def test_a_package_that_wants_out_changes_nothing_outside(tmp_path: Path) -> None:
    """A harmless package among those of a shipped lock; its script tries all that the rest of this file tries."""
    settings = site_settings.load()
    lock = read(REPO / "stacks" / "onnx-cpu").base
    fetch(lock.debs, {}, settings, Ui())
    marker = tmp_path / "marker"
    marker.write_text("whole")
    marker.chmod(0o666)
    home = tmp_path / "home"
    (home / "assets").mkdir(parents=True)
    (home / "assets" / "debs").mkdir()
    for deb in lock.debs:
        (home / deb.folder / deb.filename).hardlink_to(settings.home / deb.folder / deb.filename)
    with socket.create_server(("127.0.0.1", 0)) as server:
        words = {"marker": marker, "climb": _CLIMB, "process": os.getpid(), "port": server.getsockname()[1]}
        deb = _package(tmp_path, home / "assets" / "debs", _POSTINST.format(**words))
        folder = tmp_path / "work"
        folder.mkdir()
        root = base.bootstrap(replace(lock, debs=(*lock.debs, deb)), replace(settings, home=home), folder, Ui())
        server.settimeout(0)
        with pytest.raises(BlockingIOError):
            server.accept()
    assert marker.read_text() == "whole"
    with tarfile.open(root) as tar:
        report = tar.extractfile("./var/lib/harmless")
        assert report is not None and report.read() == b"END\n"


def _package(folder: Path, place: Path, script: str) -> Artifact:
    tree = folder / "tree"
    (tree / "DEBIAN").mkdir(parents=True)
    about = "Package: harmless\nVersion: 1.0\nArchitecture: amd64\nMaintainer: Test <t@example.org>\n"
    (tree / "DEBIAN" / "control").write_text(f"{about}Depends: python3\nDescription: harmless\n")
    (tree / "DEBIAN" / "postinst").write_text(script)
    (tree / "DEBIAN" / "postinst").chmod(0o755)
    path = place / "harmless_1.0_amd64.deb"
    subprocess.run(["dpkg-deb", "--build", "--root-owner-group", tree, path], check=True, capture_output=True)
    return Artifact(
        kind="deb", filename=path.name, size=path.stat().st_size, sha256=sha256_of(path),
        origin=Origin.parse(f"archive:debian/{path.name}"), project="harmless", version="1.0",
    )  # fmt: skip
