"""Git sources from a real sshd: by a key or the agent, from a server whose key is known, nothing of it in the lock."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest

from builder.errors import JobError, SurroundingsError, Unreachable
from builder.lock import sources
from builder.net.git import archive_commit
from builder.settings import GitSsh, Settings
from tests.fetch.test_git_site import commit  # noqa: F401 - a fixture

SSHD = shutil.which("sshd") or "/usr/sbin/sshd"
pytestmark = pytest.mark.skipif(not Path(SSHD).exists(), reason="needs sshd (apt-get install openssh-server)")


@pytest.fixture
def keys(tmp_path):
    """Key pairs: of the server (host), of who may come in (mine), and of somebody else."""
    for name in ("host", "mine", "other"):
        words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(tmp_path / name)]
        subprocess.run(words, check=True)
    return tmp_path


@pytest.fixture
def port(keys):
    """The port of a running sshd of this user's own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        number = free.getsockname()[1]
    authorized = keys / "authorized"
    authorized.write_text((keys / "mine.pub").read_text())
    lines = [
        f"ListenAddress 127.0.0.1:{number}",
        f"HostKey {keys / 'host'}",
        f"AuthorizedKeysFile {authorized}",
        f"PidFile {keys / 'pid'}",
        *("PasswordAuthentication no", "KbdInteractiveAuthentication no", "StrictModes no", "PermitRootLogin yes"),
    ]
    (keys / "sshd_config").write_text("\n".join(lines) + "\n")
    Path("/run/sshd").mkdir(exist_ok=True)
    with subprocess.Popen([SSHD, "-D", "-e", "-f", keys / "sshd_config"], stderr=subprocess.DEVNULL) as server:
        for _ in range(100):
            with socket.socket() as probe:
                if not probe.connect_ex(("127.0.0.1", number)):
                    break
            time.sleep(0.05)
        yield number
        server.terminate()


@pytest.fixture
def by_ssh(keys, port, site, settings):
    """The settings by which git.example is this server; gives the stack's address of the repository too."""
    (keys / "known").write_text(f"[127.0.0.1]:{port} {(keys / 'host.pub').read_text()}")
    user = subprocess.run(["id", "-un"], check=True, capture_output=True, text=True).stdout.strip()
    ssh = GitSsh(user=user, port=port, key=keys / "mine", known_hosts=keys / "known")
    return replace(settings, git_ssh={"127.0.0.1": ssh}), f"https://127.0.0.1{site.git_root}/demo/.git"


def changed(settings: Settings, **values) -> Settings:
    return replace(settings, git_ssh={"127.0.0.1": replace(settings.git_ssh["127.0.0.1"], **values)})


def test_a_key_brings_the_commit_and_the_lock_names_the_https_address(commit, by_ssh, keys, site, tmp_path):  # noqa: F811
    settings, url = by_ssh
    item = sources.locked(url, commit, settings)
    archive_commit(f"{site.url}/git/demo/.git", commit, tmp_path / "https.tar", settings)
    made = settings.assets / "sources" / item.filename
    assert made.read_bytes() == (tmp_path / "https.tar").read_bytes(), "the same bytes by every way"
    assert str(item.origin) == f"git+{url}@{commit}"
    with pytest.raises(JobError, match="git cannot fetch the commit") as caught:
        archive_commit(url, "1" * 40, tmp_path / "b.tar", settings)
    said = str(caught.value.document()) + repr(item)
    assert str(keys / "mine") not in said
    assert "ssh" not in said


def test_the_agents_keys_serve_where_no_key_is_named(commit, by_ssh, keys, tmp_path, monkeypatch):  # noqa: F811
    settings, url = changed(by_ssh[0], key=None), by_ssh[1]
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    with pytest.raises(SurroundingsError, match="takes none of the ssh keys") as caught:
        archive_commit(url, commit, tmp_path / "a.tar", settings)
    assert "ssh-add" in caught.value.fix
    agent = ["ssh-agent", "-D", "-a", str(tmp_path / "agent")]
    with subprocess.Popen(agent, stdout=subprocess.DEVNULL) as running:
        while not (tmp_path / "agent").exists():
            time.sleep(0.02)
        monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "agent"))
        subprocess.run(["ssh-add", "-q", str(keys / "mine")], check=True, env=dict(os.environ))
        archive_commit(url, commit, tmp_path / "a.tar", settings)
        running.terminate()


@pytest.mark.parametrize(
    ("lines", "why"), [("", "no known_hosts has it"), ("OTHER", "it has another than the one that is known")]
)
def test_a_server_whose_key_is_not_known_is_refused(commit, by_ssh, keys, port, tmp_path, lines, why):  # noqa: F811
    settings, url = by_ssh
    other = f"[127.0.0.1]:{port} {(keys / 'other.pub').read_text()}"
    (keys / "known").write_text(other if lines else "")
    with pytest.raises(SurroundingsError, match="the key of the git server is not trusted") as caught:
        archive_commit(url, commit, tmp_path / "a.tar", settings)
    assert caught.value.why == why
    assert "known-hosts" in caught.value.fix


def test_another_key_and_a_closed_port_are_told(commit, by_ssh, keys, tmp_path):  # noqa: F811
    settings, url = by_ssh
    with pytest.raises(SurroundingsError, match="takes none of the ssh keys"):
        archive_commit(url, commit, tmp_path / "a.tar", changed(settings, key=keys / "other"))
    with pytest.raises(Unreachable, match="the git server cannot be reached"):
        archive_commit(url, commit, tmp_path / "a.tar", changed(settings, port=1))
