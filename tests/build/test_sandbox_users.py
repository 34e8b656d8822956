"""The sandbox of an ordinary user, with what Debian and Ubuntu give users for that, and without a part of it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from builder import settings as site_settings
from builder.build import base
from builder.fetch import fetch
from builder.files import sha256_of
from builder.lock import read
from builder.ui import Ui
from tests.build.test_sandbox import _running as running
from tests.conftest import REPO
from tests.other_user import USER, python, reachable, words
from tests.stopped import alive, children, until

# Mounts of its own: the user and the ids set aside for it are in files of the test, which this machine's are not.
_MOUNTED = 'for name in passwd subuid subgid; do mount --bind "$1/$name" "/etc/$name"; done; shift; exec "$@"'
# A user namespace of every id, in which there may be no other.
_CLOSED = """
unshare --user setpriv --pdeathsig KILL sleep infinity >/dev/null 2>&1 &
while [ "$(readlink /proc/$!/ns/user)" = "$(readlink /proc/self/ns/user)" ]; do sleep 0.05; done
echo "0 0 65536" >/proc/$!/uid_map
echo "0 0 65536" >/proc/$!/gid_map
exec nsenter --user=/proc/$!/ns/user --setuid 0 --setgid 0 sh -ec \'
    echo 0 >/proc/sys/user/max_user_namespaces
    exec "$@"\' sh "$@"
"""
_SANDBOX = """
import json, os, sys
from pathlib import Path
from builder.build import sandbox
from builder.errors import SurroundingsError
folder, script, settings = sys.argv[1:]
if settings:
    sandbox._SYSCTL = Path(settings)
place = Path(folder, "work")
(place / "inside").mkdir(parents=True)
(place / "shown").mkdir()
try:
    done = sandbox.run(
        ["/bin/sh", "-c", script], place / "inside", shown={place / "shown": "/shown"}, environment={},
        out=place / "out",
    )
    said = {"code": done.returncode, "out": (place / "out").read_text()}
except SurroundingsError as error:
    said = {"why": error.why, "fix": error.fix, "ran": (place / "ran").exists()}
print(json.dumps(said))
"""


@dataclass
class Plain:
    """An ordinary user: its folder, and what stands of it in three files of /etc."""

    folder: Path

    def etc(self, name: str, text: str) -> None:
        (self.folder / "etc" / name).write_text(text)

    def command(self, code: str, *arguments: str, path: str = "", before: tuple[str, ...] = ()) -> list[str]:
        """A command line that ends as a Python of this user, which runs the code."""
        program, modules = python()
        command = ["unshare", "--mount", "sh", "-ec", _MOUNTED, "sh", str(self.folder / "etc"), *before]
        command += [word for word in words() if word not in ("--no-new-privs", "--bounding-set=-all")]
        command += ["env", "--unset=HOME", f"PATH={path or os.environ['PATH']}", f"PYTHONPATH={modules}"]
        return [*command, "PYTHONDONTWRITEBYTECODE=1", program, "-c", code, str(self.folder / "own"), *arguments]

    def does(self, code: str, *arguments: str, path: str = "", before: tuple[str, ...] = ()) -> str:
        """What Python code of its own prints, under a closed umask."""
        command = self.command(code, *arguments, path=path, before=before)
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/", umask=0o077)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def runs(self, script: str, *, settings: Path | None = None, **more: object) -> dict[str, object]:
        """A script in its sandbox."""
        said: dict[str, object] = json.loads(self.does(_SANDBOX, script, str(settings or ""), **more))  # type: ignore[arg-type]
        return said


@pytest.fixture
def plain(tmp_path: Path) -> Plain:
    python()
    reachable(tmp_path)
    (tmp_path / "own").mkdir(mode=0o700)
    os.chown(tmp_path / "own", USER, USER)
    (tmp_path / "etc").mkdir()
    made = Plain(tmp_path)
    made.etc("passwd", f"{Path('/etc/passwd').read_text()}plain:x:{USER}:{USER}::/nonexistent:/bin/sh\n")
    for name in ("subuid", "subgid"):
        if not Path("/etc", name).is_file():
            pytest.skip(f"this machine has no /etc/{name} (package uidmap)")
        made.etc(name, f"other:100000:65536\nplain:{500_000}:65536\n")
    return made


@pytest.fixture
def uidmap() -> None:
    if shutil.which("newuidmap") is None:
        pytest.skip("this machine has no newuidmap (package uidmap)")
    for name, forbids in (("kernel/apparmor_restrict_unprivileged_userns", "1"), ("user/max_user_namespaces", "0")):
        setting = Path("/proc/sys", name)
        if setting.is_file() and setting.read_text().strip() == forbids:
            pytest.skip(f"{setting} is {forbids}: this kernel keeps ordinary users from namespaces")


@pytest.mark.usefixtures("uidmap")
@pytest.mark.parametrize(
    "script",
    [
        "touch /tmp/f && chown 101:8 /tmp/f && test $(stat -c %u:%g /tmp/f) = 101:8",
        "mkdir -p /tmp/r/proc && mount -t proc proc /tmp/r/proc && umount /tmp/r/proc",
        "perl -e 'chroot(q(/tmp)) or die'",
        "test $(id -u) = 0 && test $(wc -l </proc/self/uid_map) = 1",
    ],
)
def test_what_honest_scripts_do_works_for_an_ordinary_user(plain: Plain, script: str) -> None:
    assert plain.runs(f"set -e\n{script}\necho done") == {"code": 0, "out": "done\n"}


@pytest.mark.usefixtures("uidmap")
@pytest.mark.parametrize(
    "script",
    [
        "cat {own}",
        "cat /proc/*/root{own}",
        "echo broken >>{own}",
        "echo broken >/shown/new",
        "mount -o remount,bind,rw /shown && echo broken >/shown/new",
        "umount -l /proc; nsenter --target 1 --mount cat {own}",
        "test -n \"$(ls /sys/class/net | grep -v '^lo$')\"",
        "ls /run/docker.sock",
    ],
)
def test_the_users_own_files_are_out_of_reach(plain: Plain, script: str) -> None:
    own = plain.folder / "own" / "secret"
    own.write_text("whole")
    own.chmod(0o666)
    os.chown(own, USER, USER)
    said = plain.runs(f"exec 2>/dev/null\n{script.format(own=own)}")
    assert said["code"] != 0 and "whole" not in str(said["out"])
    assert own.read_text() == "whole"
    assert not list((plain.folder / "own" / "work" / "shown").iterdir())


@pytest.mark.usefixtures("uidmap")
def test_a_killed_run_of_an_ordinary_user_leaves_no_process(plain: Plain) -> None:
    word = f"9{time.time():.6f}"
    with subprocess.Popen(plain.command(_SANDBOX, f"sleep {word}", ""), cwd="/", stdout=subprocess.PIPE) as run:
        until(lambda: any(line.startswith(b"sleep") for line in running(word)))
        started = children(run.pid)
        assert len(started) > 2
        run.kill()
    until(lambda: not any(map(alive, started)))


@pytest.mark.parametrize(
    ("missing", "why", "fix"),
    [
        ("newuidmap", "newuidmap is not installed", "apt-get install uidmap"),
        ("subuid", "/etc/subuid sets no 65536 ids aside", "echo plain:165536:65536 | sudo tee --append"),
        ("subgid", "/etc/subgid sets no 65536 ids aside", "sudo tee --append /etc/subgid"),
        ("too few", "/etc/subuid sets no 65536 ids aside", "echo plain:565535:65536 |"),
        ("passwd", "/etc/subuid sets no 65536 ids aside", "echo 4242:565536:65536 |"),
    ],
)  # fmt: skip
def test_what_is_missing_is_said_with_the_one_thing_to_do(plain: Plain, missing: str, why: str, fix: str) -> None:
    path = ""
    if missing == "newuidmap":
        path = str(plain.folder / "programs")
        Path(path).mkdir()
        for name in ("env", "sh", "setpriv", "unshare", "sleep", "mount"):
            Path(path, name).symlink_to(shutil.which(name) or name)
    elif shutil.which("newuidmap") is None:
        pytest.skip("this machine has no newuidmap (package uidmap)")
    elif missing == "too few":
        plain.etc("subuid", "plain:500000:65535\n")
    elif missing == "passwd":
        plain.etc("passwd", Path("/etc/passwd").read_text())
    else:
        plain.etc(missing, "other:100000:65536\n")
    said = plain.runs("touch /shown/ran", path=path)
    assert why in str(said["why"]) and fix in str(said["fix"]) and "as root" in str(said["fix"])
    assert said["ran"] is False


@pytest.mark.usefixtures("uidmap")
@pytest.mark.parametrize(
    ("setting", "value", "fix"),
    [
        ("kernel/apparmor_restrict_unprivileged_userns", "1", "kernel.apparmor_restrict_unprivileged_userns=0"),
        ("kernel/unprivileged_userns_clone", "0", "sudo sysctl kernel.unprivileged_userns_clone=1"),
        ("user/max_user_namespaces", "0", "sudo sysctl user.max_user_namespaces=65536"),
        ("user/max_user_namespaces", "1000", "build as root, or on a Debian or Ubuntu whose kernel"),
    ],
)  # fmt: skip
def test_a_kernel_that_forbids_namespaces_is_quoted(plain: Plain, setting: str, value: str, fix: str) -> None:
    """The refusal is a real one, of a user namespace that may have none within; the setting is read from a file."""
    file = plain.folder / "sys" / setting
    file.parent.mkdir(parents=True)
    file.write_text(f"{value}\n")
    said = plain.runs("true", settings=plain.folder / "sys", before=("sh", "-ec", _CLOSED, "sh"))
    assert "the kernel refuses user namespaces to this user" in str(said["why"])
    assert fix in str(said["fix"])


_BASE = """
import os, sys
from dataclasses import replace
from pathlib import Path
from builder import settings
from builder.build import base
from builder.files import sha256_of
from builder.lock import read
from builder.ui import Ui
place = Path(sys.argv[1], "base")
place.mkdir()
lock = read(Path(sys.argv[2], "stacks", "onnx-cpu")).base
print(sha256_of(base.bootstrap(lock, replace(settings.load(), home=Path(sys.argv[2])), place, Ui())))
"""


@pytest.mark.heavy  # half a minute each; test_umask.py builds an image under each umask
@pytest.mark.parametrize("user", ["root", "plain"])
def test_a_base_is_byte_equal_whoever_makes_it_under_a_closed_umask(
    plain: Plain, user: str, request: pytest.FixtureRequest
) -> None:
    settings = site_settings.load()
    lock = read(REPO / "stacks" / "onnx-cpu").base
    fetch(lock.debs, {}, settings, Ui())
    made = base._made(lock, replace(settings, home=REPO))
    if not made:
        (plain.folder / "first").mkdir()
        made = (f"sha256:{sha256_of(base.bootstrap(lock, settings, plain.folder / 'first', Ui()))}",)
    if user == "plain":
        request.getfixturevalue("uidmap")
        digest = plain.does(_BASE, str(REPO))
    else:
        command = [sys.executable, "-c", _BASE, str(plain.folder), str(REPO)]
        digest = subprocess.run(command, cwd=REPO, umask=0o077, check=True, capture_output=True, text=True).stdout
    assert made == (f"sha256:{digest.strip()}",)
