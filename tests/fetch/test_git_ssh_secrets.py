"""A source by ssh, from stack.yaml to the image: no part of a key, its passphrase or the agent's socket is left."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import tomli_w

from builder.doctor.unreachable import require_hosts
from builder.engine.client import Engine
from builder.errors import Unreachable
from builder.settings import load
from builder.spec import load_stack
from builder.ui import Ui
from tests.conftest import IMAGES, cli, document, remove_images, write_stack
from tests.fetch.test_git_site import commit  # noqa: F401 - a fixture
from tests.fetch.test_git_ssh import SSHD, keys, port  # noqa: F401 - fixtures

pytestmark = pytest.mark.skipif(not Path(SSHD).exists(), reason="needs sshd (apt-get install openssh-server)")
PASSPHRASE = "battery-staple-4711"


@pytest.fixture
def site_file(commit, keys, port, site, tmp_path: Path, monkeypatch) -> Path:  # noqa: F811
    """The stack `byssh` with a source of git.example (127.0.0.1), and a home of its own; gives the site's file."""
    (keys / "known").write_text(f"[127.0.0.1]:{port} {(keys / 'host.pub').read_text()}")
    git = f"{{git: 'https://127.0.0.1{site.git_root}/demo/.git', commit: {commit}, into: /workspace}}"
    write_stack(tmp_path / "stacks", "byssh", packages=["six==1.17.0"], extra=f"sources: [{git}]")
    file = tmp_path / "config" / "modelstacks" / "modelstacks.toml"
    file.parent.mkdir(parents=True)
    for name, folder in {"HOME": "home", "CACHE": "cache", "STACKS": "stacks"}.items():
        monkeypatch.setenv(f"MODELSTACKS_{name}", str(tmp_path / folder))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    said(file, keys, port, key=str(keys / "mine"))
    return file


def said(file: Path, keys: Path, port: int, **more: str) -> None:  # noqa: F811
    user = subprocess.run(["id", "-un"], check=True, capture_output=True, text=True).stdout.strip()
    host = {"user": user, "port": port, "known-hosts": str(keys / "known"), **more}
    file.write_text(tomli_w.dumps({"git-ssh": {"127.0.0.1": host}}))


@pytest.fixture
def agent(keys, tmp_path, monkeypatch) -> Iterator[Path]:  # noqa: F811
    """The socket of an agent that holds the key, which by now has a passphrase."""
    secret = [*("-f", str(keys / "mine")), "-P", "", "-N", PASSPHRASE]
    subprocess.run(["ssh-keygen", "-q", "-p", *secret], check=True, capture_output=True)
    ask = tmp_path / "ask"
    ask.write_text(f"#!/bin/sh\necho {PASSPHRASE}\n")
    ask.chmod(0o700)
    socket = tmp_path / "agent-socket"
    with subprocess.Popen(["ssh-agent", "-D", "-a", str(socket)], stdout=subprocess.DEVNULL) as running:
        while not socket.exists():
            time.sleep(0.02)
        monkeypatch.setenv("SSH_AUTH_SOCK", str(socket))
        given = {**os.environ, "SSH_ASKPASS": str(ask), "SSH_ASKPASS_REQUIRE": "force", "DISPLAY": ":0"}
        subprocess.run(["ssh-add", "-q", str(keys / "mine")], check=True, env=given, stdin=subprocess.DEVNULL)
        yield socket
        running.terminate()


def test_hosts_are_asked_by_ssh_where_the_site_says_so(site_file, keys, port, capsys):  # noqa: F811
    """Nothing listens on 443 of that host: by https it could not be reached."""
    stack = load_stack("byssh", load())
    require_hosts(stack, load(), Ui())
    assert f"127.0.0.1:{port}: good" in capsys.readouterr().err
    said(site_file, keys, 1)
    with pytest.raises(Unreachable, match=r"1 host that byssh needs cannot be used: 127\.0\.0\.1:1") as caught:
        require_hosts(stack, load(), Ui())
    assert "no ssh server answers: Connection refused" in str(caught.value.document())
    assert "git source: tmp/" in capsys.readouterr().err


@pytest.mark.heavy  # a base and an image are made in a home of their own
def test_nothing_of_a_key_a_passphrase_or_an_agent_is_left(
    engine: Engine,
    site_file: Path,
    keys: Path,  # noqa: F811
    port: int,  # noqa: F811
    agent: Path,
    tmp_path: Path,
) -> None:
    """By the agent from stack.yaml to the image, then a lock again by a key that it cannot open."""
    try:
        said(site_file, keys, port)
        done = cli("--json", "stack", "byssh", "--gpu", "none")
        document(done)
        assert engine.run(["run", "--rm", f"{IMAGES}/byssh", "cat", "/workspace/code.py"]).stdout == "print()\n"
        said(site_file, keys, port, key=str(keys / "mine"))
        (tmp_path / "home" / "assets" / "sources").rename(tmp_path / "moved")
        again = cli("--json", "lock", "byssh", "--upgrade")
        assert again.returncode == 3 and "takes none of the ssh keys" in again.stdout

        secrets = [PASSPHRASE, str(agent), str(keys / "mine"), str(keys / "known")]
        for name in ("mine", "host"):
            secrets += [line for line in (keys / name).read_text().splitlines() if len(line) > 40]
        places = [tmp_path / "stacks", tmp_path / "home", tmp_path / "cache", tmp_path / "moved"]
        files = [path for place in places for path in place.rglob("*") if path.is_file()]
        assert {"stack.lock", "pylock.toml", "build.log", "evidence.json"} <= {path.name for path in files}
        texts = {str(path): path.read_bytes() for path in files}
        texts |= {"what was said": "".join((done.stdout, done.stderr, again.stdout, again.stderr)).encode()}
        with engine.saved(f"{IMAGES}/byssh") as image:
            texts["the image"] = image.read()
        assert b"print()\n" in texts["the image"], "layers are saved as they are"
        found = [(place, one) for place, text in texts.items() for one in secrets if one.encode() in text]
        assert not found
    finally:
        remove_images(engine, "byssh")
