"""Another machine's network: a namespace that one cable joins with this machine, and that reaches nothing else."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest


@dataclass(frozen=True)
class Network:
    """A network namespace and this machine, joined by one cable. here, there: the addresses of its ends."""

    namespace: str
    here: str
    there: str


@contextmanager
def network() -> Iterator[Network]:
    """Lay one; skips the test where this is not root or the kernel has no such cables."""
    if os.geteuid() != 0 or not shutil.which("ip"):
        pytest.skip("a network namespace needs root and iproute2")
    name = f"ms{secrets.token_hex(3)}"
    block = f"10.213.{secrets.randbelow(256)}"
    found = Network(name, f"{block}.1", f"{block}.2")
    inside = f"ip netns exec {name} ip"
    try:
        for line in (
            f"ip netns add {name}",
            f"ip link add {name}h type veth peer name {name}n",
            f"ip link set {name}n netns {name}",
            f"ip addr add {found.here}/30 dev {name}h",
            f"ip link set {name}h up",
            f"{inside} addr add {found.there}/30 dev {name}n",
            f"{inside} link set {name}n up",
            f"{inside} link set lo up",
        ):
            done = subprocess.run(line.split(), capture_output=True, text=True, check=False)
            if done.returncode:
                pytest.skip(f"no network namespace here: {line}: {done.stderr.strip()}")
        yield found
    finally:
        for line in (f"ip link del {name}h", f"ip netns del {name}"):
            subprocess.run(line.split(), capture_output=True, check=False)
