"""Another machine: an engine with its own data in its own network namespace, reached by TLS or by ssh."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

from tests.debs import unpacked
from tests.fleet.network import Network, network
from tests.private_engine import PrivateEngine, Remote, Store, private_engine
from tests.publish.conftest import keys, served

__all__ = ["keys", "served"]

_SSHD = ["openssh-server", "libwrap0"]


@dataclass(frozen=True)
class Far:
    """An engine on another machine. certificates: a folder with ca.pem, cert.pem and key.pem of a client."""

    engine: PrivateEngine
    network: Network
    certificates: Path
    authority: trustme.CA

    @property
    def tls(self) -> dict[str, str]:
        """What is in the environment of one that uses it over TLS."""
        there = {"DOCKER_HOST": f"tcp://{self.network.there}:2376", "DOCKER_CERT_PATH": str(self.certificates)}
        return {**there, "DOCKER_TLS_VERIFY": "1"}


def client_files(authority: trustme.CA, by: trustme.CA, folder: Path) -> Path:
    """A folder with the root of one authority and a client's certificate by another."""
    folder.mkdir()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    client = by.issue_cert("client")
    client.private_key_pem.write_to_path(str(folder / "key.pem"))
    client.cert_chain_pems[0].write_to_path(str(folder / "cert.pem"))
    return folder


@contextmanager
def far_engine(folder: Path, store: Store = "overlay2") -> Iterator[Far]:
    """One that answers over TLS to who shows a certificate of a private authority."""
    authority = trustme.CA()
    certificates = client_files(authority, authority, folder / "client")
    with network() as cable:
        server = authority.issue_cert(cable.there)
        pem = folder / "server.pem"
        server.private_key_and_cert_chain_pem.write_to_path(str(pem))
        tls = {"tlsverify": True, "tlscacert": str(certificates / "ca.pem"), "tlscert": str(pem), "tlskey": str(pem)}
        # What it pulls from is under the same authority.
        remote = Remote(cable.namespace, cable.there, dict(tls), {"SSL_CERT_FILE": str(certificates / "ca.pem")})
        with private_engine(store, remote=remote) as engine:
            yield Far(engine, cable, certificates, authority)


@pytest.fixture(scope="module")
def far(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Far]:
    with far_engine(tmp_path_factory.mktemp("far")) as found:
        yield found


@contextmanager
def ssh_door(folder: Path, docker_host: str) -> Iterator[dict[str, str]]:
    """A real sshd on loopback, whose users have this engine; gives the environment of one that uses it over ssh.

    Debian's openssh-server, unpacked, with throwaway keys. It knows the user it separates its rights by from an
    /etc/passwd of its own.
    """
    root = unpacked("sshd", _SSHD)
    for name in ("host", "client"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True)
    shutil.copyfile(folder / "client.pub", folder / "authorized")
    (folder / "passwd").write_text(f"{Path('/etc/passwd').read_text()}sshd:x:65533:65534::/run/sshd:/bin/false\n")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (folder / "sshd_config").write_text(
        f"ListenAddress 127.0.0.1:{port}\nHostKey {folder}/host\nAuthorizedKeysFile {folder}/authorized\n"
        f"PasswordAuthentication no\nKbdInteractiveAuthentication no\nUsePAM no\nStrictModes no\nPidFile none\n"
        f"PermitRootLogin prohibit-password\nSetEnv DOCKER_HOST={docker_host}\n"
    )
    kind, key = (folder / "host.pub").read_text().split()[:2]
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {kind} {key}\n")
    (folder / "ssh_config").write_text(
        f"Host *\n  IdentityFile {folder}/client\n  IdentitiesOnly yes\n  UserKnownHostsFile {folder}/known_hosts\n"
        "  StrictHostKeyChecking yes\n  BatchMode yes\n"
    )
    programs = folder / "bin"  # ssh looks for its settings in the home of /etc/passwd, which is not ours to write to
    programs.mkdir()
    (programs / "ssh").write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {folder}/ssh_config "$@"\n')
    (programs / "ssh").chmod(0o755)
    libraries = f"{root}/lib/x86_64-linux-gnu:{root}/usr/lib/x86_64-linux-gnu"
    run = "mount --bind $1/passwd /etc/passwd && mkdir -p /run/sshd && exec $2 -D -e -f $1/sshd_config"
    command = ["unshare", "--mount", "sh", "-c", run, "sshd", str(folder), f"{root}/usr/sbin/sshd"]
    with (folder / "sshd.log").open("wb") as log:
        server = subprocess.Popen(
            command, env={**os.environ, "LD_LIBRARY_PATH": libraries}, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    try:
        _answers(port, server, folder / "sshd.log")
        yield {"DOCKER_HOST": f"ssh://root@127.0.0.1:{port}", "PATH": f"{programs}:{os.environ['PATH']}"}
    finally:
        server.terminate()
        server.wait(10)
        with suppress(OSError):
            Path("/run/sshd").rmdir()


def _answers(port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + 20
    while server.poll() is None and time.monotonic() < end:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=2) as there:
            if there.recv(4) == b"SSH-":
                return
        time.sleep(0.1)
    pytest.fail(f"sshd does not answer: {log.read_text()[-500:]}")
