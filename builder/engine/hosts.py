"""What a host needs to have a usable engine, as data: packages per distribution, words for the others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

# Debian 12 has Docker Engine 20.10, too old; these come from Debian 13, whose builds Debian 12 can run (measured).
_BORROWED = ("docker.io", "docker-cli", "docker-buildx")
_DEBIAN = _BORROWED
_UBUNTU = ("docker.io", "docker-buildx")
_ALWAYS = ("iptables",)  # only recommended by docker.io, yet its network needs it

_BY_HAND: Mapping[str, tuple[str, ...]] = {
    "debian": ("Docker Engine for this release: https://docs.docker.com/engine/install/debian/", "mmdebstrap"),
    "ubuntu": ("Docker Engine for this release: https://docs.docker.com/engine/install/ubuntu/", "mmdebstrap"),
    "fedora": ("sudo dnf install moby-engine docker-buildx mmdebstrap", "sudo systemctl enable --now docker"),
    "rhel": (
        "Docker Engine and buildx: https://docs.docker.com/engine/install/rhel/",
        "sudo systemctl enable --now docker",
        "mmdebstrap, for stacks whose base is bootstrapped",
    ),
    "suse": (
        "sudo zypper install docker docker-buildx",
        "sudo systemctl enable --now docker",
        "mmdebstrap, for stacks whose base is bootstrapped",
    ),
    "arch": (
        "sudo pacman -S docker docker-buildx",
        "sudo systemctl enable --now docker",
        "mmdebstrap, for stacks whose base is bootstrapped",
    ),
    "macos": (
        "Docker Desktop: https://docs.docker.com/desktop/setup/install/mac-install/",
        "for stacks whose base is bootstrapped, a Debian or Ubuntu machine: mmdebstrap does not run on macOS",
    ),
    "": ("Docker Engine 23 or newer with buildx 0.12 or newer: https://docs.docker.com/engine/install/", "mmdebstrap"),
}
_WSL = "or Docker Desktop's engine: switch on Settings, Resources, WSL integration for this distribution"


@dataclass(frozen=True, kw_only=True)
class Have:
    """What the host has already. engine: one answers; docker: client and daemon are installed."""

    engine: bool
    docker: bool
    buildx: bool
    mmdebstrap: bool
    root: bool
    apt: bool
    wsl: bool = False


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to do. packages: for apt-get install; borrow: the suite `name/suite` packages come from, of which the
    host's is `suite`; start: start the daemon afterwards; by_hand: what the user must do, when we cannot.
    """

    packages: tuple[str, ...] = ()
    borrow: str = ""
    suite: str = ""
    start: bool = False
    by_hand: tuple[str, ...] = ()

    @property
    def nothing(self) -> bool:
        """Whether all is there already."""
        return not (self.packages or self.start or self.by_hand)


def plan(os_release: Mapping[str, str], have: Have) -> Plan:
    """What makes the engine usable on the host that /etc/os-release describes (ID "macos" for macOS)."""
    if have.engine and have.buildx and have.mmdebstrap:
        return Plan()
    start = not have.engine
    name, supported = _host(os_release)
    installed = (have.engine or have.docker) and have.buildx
    if not have.apt or name not in ("debian", "ubuntu") or not (supported or installed):
        return Plan(by_hand=_others(name, have))
    if not have.root:
        return Plan(by_hand=("sudo .venv/bin/modelstacks engine", *([_WSL] if have.wsl else ())))
    wanted = _packages(name, have)
    borrow = "trixie" if name == "debian" and os_release.get("VERSION_ID") == "12" else ""
    if borrow and any(package in _BORROWED for package in wanted):
        marked = tuple(f"{package}/{borrow}" if package in _BORROWED else package for package in wanted)
        return Plan(packages=marked, borrow=borrow, suite="bookworm", start=start)
    return Plan(packages=wanted, start=start)


def _packages(name: str, have: Have) -> tuple[str, ...]:
    """The packages that are missing, by their names in the distribution."""
    wanted: list[str] = []
    if not have.engine and not have.docker:
        wanted += [*(_DEBIAN if name == "debian" else _UBUNTU), *_ALWAYS]
    elif not have.buildx:
        wanted += ["docker-buildx"]
    if not have.mmdebstrap:
        wanted += ["mmdebstrap", *(["debian-archive-keyring"] if name == "ubuntu" else [])]
    return tuple(wanted)


def _host(os_release: Mapping[str, str]) -> tuple[str, bool]:
    """The distribution's family and whether its release is new enough; derivatives count as what they derive from."""
    like = [os_release.get("ID", ""), *os_release.get("ID_LIKE", "").split()]
    codename = os_release.get("UBUNTU_CODENAME", "")
    if "ubuntu" in like:
        own = os_release.get("VERSION_ID", "") if like[0] == "ubuntu" else ""
        return "ubuntu", _major(own) >= 22 or codename in ("jammy", "noble")
    if "debian" in like:
        version = os_release.get("VERSION_ID", "")
        return "debian", like[0] == "debian" and (_major(version) >= 12 or not version)  # testing has no VERSION_ID
    for name in like:
        if name in _BY_HAND and name:
            return name, False
        if name in ("opensuse", "sles"):
            return "suse", False
        if name == "centos":
            return "rhel", False
    return "", False


def _major(version: str) -> int:
    first = version.partition(".")[0]
    return int(first) if first.isdigit() else 0


def _others(name: str, have: Have) -> tuple[str, ...]:
    lines = _BY_HAND.get(name, _BY_HAND[""])
    return (*lines, _WSL) if have.wsl else lines
