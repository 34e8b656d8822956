"""The verb `engine`: the plan for each kind of host, and the installation itself in bare Debian systems."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from builder.engine import Engine
from builder.engine.daemon import likely_cause
from builder.engine.hosts import Have, Plan, plan
from builder.engine.install import changes, ensure
from builder.errors import SurroundingsError
from builder.net.archive import archive
from builder.settings import load
from builder.ui import Ui

BARE = Have(engine=False, docker=False, buildx=False, mmdebstrap=False, root=True, apt=True)
DEBIAN_12 = {"ID": "debian", "VERSION_ID": "12", "VERSION_CODENAME": "bookworm"}
DEBIAN_13 = {"ID": "debian", "VERSION_ID": "13", "VERSION_CODENAME": "trixie"}
UBUNTU_22 = {"ID": "ubuntu", "ID_LIKE": "debian", "VERSION_ID": "22.04", "UBUNTU_CODENAME": "jammy"}
UBUNTU_24 = {"ID": "ubuntu", "ID_LIKE": "debian", "VERSION_ID": "24.04", "UBUNTU_CODENAME": "noble"}
MINT = {"ID": "linuxmint", "ID_LIKE": "ubuntu debian", "VERSION_ID": "22", "UBUNTU_CODENAME": "noble"}
UBUNTU_PACKAGES = ("docker.io", "docker-buildx", "iptables", "mmdebstrap", "debian-archive-keyring")


@pytest.mark.parametrize(
    ("os_release", "expected"),
    [
        (
            DEBIAN_12,
            Plan(
                packages=("docker.io/trixie", "docker-cli/trixie", "docker-buildx/trixie", "iptables", "mmdebstrap"),
                borrow="trixie",
                suite="bookworm",
                start=True,
            ),
        ),
        (
            DEBIAN_13,
            Plan(packages=("docker.io", "docker-cli", "docker-buildx", "iptables", "mmdebstrap"), start=True),
        ),
        (UBUNTU_22, Plan(packages=UBUNTU_PACKAGES, start=True)),
        (UBUNTU_24, Plan(packages=UBUNTU_PACKAGES, start=True)),
        (MINT, Plan(packages=UBUNTU_PACKAGES, start=True)),
    ],
    ids=["debian12", "debian13", "ubuntu22.04", "ubuntu24.04", "mint22"],
)
def test_a_bare_apt_host_gets_the_packages_of_its_release(os_release: Mapping[str, str], expected: Plan) -> None:
    assert plan(os_release, BARE) == expected


def have(**known: bool) -> Have:
    return Have(
        **{"engine": True, "docker": True, "buildx": True, "mmdebstrap": True, "root": True, "apt": True} | known
    )


@pytest.mark.parametrize("os_release", [DEBIAN_12, DEBIAN_13, UBUNTU_24, {"ID": "fedora"}, {}])
def test_a_host_that_has_all_is_left_alone(os_release: Mapping[str, str]) -> None:
    assert plan(os_release, have(root=False)).nothing


def test_only_what_is_missing_is_installed() -> None:
    assert plan(DEBIAN_12, have(mmdebstrap=False)) == Plan(packages=("mmdebstrap",))
    assert plan(DEBIAN_12, have(buildx=False)) == Plan(
        packages=("docker-buildx/trixie",), borrow="trixie", suite="bookworm"
    )
    assert plan(DEBIAN_12, have(engine=False)) == Plan(start=True)
    assert plan(UBUNTU_24, have(mmdebstrap=False)) == Plan(packages=("mmdebstrap", "debian-archive-keyring"))


@pytest.mark.parametrize(
    ("os_release", "host", "first"),
    [
        (DEBIAN_12, {"root": False, "apt": True}, "sudo .venv/bin/modelstacks engine"),
        ({"ID": "debian", "VERSION_ID": "11"}, {"apt": True}, "Docker Engine for this release: https://"),
        ({"ID": "ubuntu", "VERSION_ID": "20.04", "UBUNTU_CODENAME": "focal"}, {"apt": True}, "Docker Engine for this"),
        ({"ID": "fedora"}, {}, "sudo dnf install moby-engine docker-buildx mmdebstrap"),
        ({"ID": "rocky", "ID_LIKE": "rhel centos fedora"}, {}, "Docker Engine and buildx: https://"),
        ({"ID": "opensuse-leap", "ID_LIKE": "suse opensuse"}, {}, "sudo zypper install docker docker-buildx"),
        ({"ID": "manjaro", "ID_LIKE": "arch"}, {}, "sudo pacman -S docker docker-buildx"),
        ({"ID": "macos"}, {}, "Docker Desktop: https://"),
        ({"ID": "plan9"}, {}, "Docker Engine 23 or newer with buildx 0.12 or newer: https://"),
        ({}, {}, "Docker Engine 23 or newer with buildx 0.12 or newer: https://"),
    ],
)
def test_elsewhere_it_says_what_to_do_by_hand(os_release: Mapping[str, str], host: dict[str, bool], first: str) -> None:
    bare = {"engine": False, "docker": False, "buildx": False, "mmdebstrap": False, "apt": False}
    made = plan(os_release, have(**{**bare, **host}))
    assert made.by_hand[0].startswith(first)
    assert (made.packages, made.start) == ((), False)


def test_wsl_is_told_of_docker_desktop() -> None:
    made = plan(UBUNTU_24, have(engine=False, docker=False, buildx=False, root=False, wsl=True))
    assert made.by_hand == (
        "sudo .venv/bin/modelstacks engine",
        "or Docker Desktop's engine: switch on Settings, Resources, WSL integration for this distribution",
    )


def test_a_simulation_is_read() -> None:
    text = """Reading package lists...
Remv docker-ce [5:27.0] [docker-ce-cli:amd64 ]
Inst libc6 [2.36-9] (2.41-12 Debian:13/stable [amd64])
Inst docker.io (26.1.5 Debian:13/stable [amd64])
Conf docker.io (26.1.5 Debian:13/stable [amd64])
"""
    assert changes(text) == (["docker.io"], ["libc6"], ["docker-ce"])


@pytest.mark.parametrize(
    ("log", "words"),
    [
        ("failed to register bridge driver: iptables failed: iptables -t nat: no such table", "packet filter"),
        ("failed to start daemon: Devices cgroup isn't mounted", "cgroup file system"),
        ("unable to configure the Docker daemon with file /etc/docker/daemon.json: invalid character", "mend it"),
        ("write /var/lib/docker/tmp: no space left on device", "is full"),
        ("something else", "the log says why"),
    ],
)
def test_the_likely_cause_is_read_from_the_log(log: str, words: str) -> None:
    assert words in likely_cause(f"level=info msg=starting\n{log}\n")


def test_nothing_is_done_where_an_engine_answers(engine: Engine, capsys: pytest.CaptureFixture[str]) -> None:
    if shutil.which("mmdebstrap") is None:
        pytest.skip("mmdebstrap is not installed here")
    done = ensure(Ui())
    assert (done["installed"], done["started"]) == ([], False)
    assert done["engine"]["host"] == engine.info.host
    assert "nothing to do" in capsys.readouterr().out


def test_an_endpoint_the_user_chose_is_not_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    if shutil.which("docker") is None:
        pytest.skip("needs a docker command")
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere.sock")
    with pytest.raises(SurroundingsError, match="no Docker Engine answers there"):
        ensure(Ui())


# Runs the real installation inside a root directory, as if that were the machine.
_INSIDE = """
import os, platform, sys, encodings.idna
import builder.settings.file, builder.settings.shape  # out of reach afterwards too
from builder.engine import install
from builder.engine.hosts import plan
from builder.ui import Ui
ui = Ui()
ui.step("installing")  # has rich import what it needs, which is out of reach afterwards
os.chroot(sys.argv[1]); os.chdir("/")
install._install(plan(platform.freedesktop_os_release(), install._have("client")), ui)
"""


def bare(suite: str, folder: Path, *, include: str = "") -> Path:
    """A bare Debian whose services do not start, made from the host's own mirror."""
    root = folder / "root"
    mirror = archive(load(), "debian")
    command = ["mmdebstrap", "--quiet", "--variant=minbase", *([f"--include={include}"] if include else [])]
    subprocess.run([*command, suite, str(root), mirror], check=True)
    shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")
    policy = root / "usr/sbin/policy-rc.d"
    policy.write_text("#!/bin/sh\nexit 101\n")
    policy.chmod(0o755)
    return root


def inside(root: Path) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if key != "LC_ALL"}
    return subprocess.run(
        [sys.executable, "-c", _INSIDE, str(root)], env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.heavy
@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("mmdebstrap"), reason="needs root and mmdebstrap")
@pytest.mark.parametrize("suite", ["bookworm", "trixie"])
def test_a_bare_debian_gets_an_engine(suite: str, tmp_path: Path) -> None:
    root = bare(suite, tmp_path)
    sources = {path: path.read_bytes() for path in (root / "etc/apt").rglob("*") if path.is_file()}
    done = inside(root)
    assert done.returncode == 0, done.stderr
    assert "nothing upgraded or removed" in done.stderr
    version = subprocess.run(["chroot", root, "dockerd", "--version"], capture_output=True, text=True, check=True)
    assert int(version.stdout.split("version ")[1].split(".")[0]) >= 26
    for program in ("docker", "mmdebstrap", "iptables"):
        assert shutil.which(program, path=f"{root}/usr/bin:{root}/usr/sbin")
    assert (root / "usr/libexec/docker/cli-plugins/docker-buildx").exists()
    assert {path: path.read_bytes() for path in (root / "etc/apt").rglob("*") if path.is_file()} == sources
    assert not (root / "etc/docker/daemon.json").exists()
    again = inside(root)  # all is there, and so apt has nothing to do
    assert again.returncode == 0, again.stderr


@pytest.mark.heavy
@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("mmdebstrap"), reason="needs root and mmdebstrap")
def test_nothing_is_installed_when_a_package_would_be_upgraded(tmp_path: Path) -> None:
    root = bare("bookworm", tmp_path, include="runc,containerd,docker.io")
    before = (root / "var/lib/dpkg/status").read_bytes()
    (root / "usr/sbin/dockerd").unlink()  # so that the old engine counts as absent
    done = inside(root)
    assert done.returncode != 0
    assert "installing would also upgrade" in done.stderr
    assert (root / "var/lib/dpkg/status").read_bytes() == before
