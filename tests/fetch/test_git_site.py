"""Git as a site has it: mirrors, tokens, netrc, a proxy; nothing of a login in a message."""

from __future__ import annotations

import base64
import os
import subprocess
from dataclasses import replace

import pytest

from builder.errors import JobError, ModelstacksError, SurroundingsError
from builder.net.git import archive_commit
from tests.net.web import proxy

SECRET = "hunter2-secret"
BASIC = f"Basic {base64.b64encode(f'user:{SECRET}'.encode()).decode()}"


@pytest.fixture
def commit(site, tmp_path):
    """A commit in the repository demo of the server."""
    site.git_root = tmp_path / "repositories"
    folder = site.git_root / "demo"
    folder.mkdir(parents=True)
    (folder / "code.py").write_text("print()\n")
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "GIT_CONFIG_NOSYSTEM": "1"}
    for who in ("AUTHOR", "COMMITTER"):
        environment |= {f"GIT_{who}_NAME": "A", f"GIT_{who}_EMAIL": "a@example.org"}
    for words in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "--message", "first"]):
        subprocess.run(["git", *words], cwd=folder, env=environment, check=True)
    done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def test_the_next_mirror_is_asked_and_the_last_one_named(site, settings, commit, tmp_path):
    far = "https://git.example/group"
    both = replace(settings, rewrites={far: (f"{site.url}/absent", f"{site.url}/git")})
    archive_commit(f"{far}/demo/.git", commit, tmp_path / "a.tar", both)
    assert (tmp_path / "a.tar").stat().st_size
    none = replace(settings, rewrites={far: (f"{site.url}/absent", f"{site.url}/nothing")})
    with pytest.raises(JobError, match="git cannot fetch the commit") as caught:
        archive_commit(f"{far}/demo/.git", commit, tmp_path / "b.tar", none)
    assert caught.value.where == f"{site.url}/nothing/demo/.git"
    assert f"before it, {site.url}/absent/demo/.git" in caught.value.why


def test_an_untrusted_git_server_is_named_with_its_issuer(site, settings, commit, tmp_path):
    for tls in ("verify", "hash-locked"):
        bare = replace(settings, ca_bundle=(), tls=tls)
        with pytest.raises(SurroundingsError, match="the certificate of localhost is not trusted") as caught:
            archive_commit(f"{site.url}/git/demo/.git", commit, tmp_path / "a.tar", bare)
        assert "OU=Testing CA" in caught.value.why


@pytest.mark.parametrize("how", ["basic", "bearer", "netrc"])
def test_a_login_reaches_git_and_no_message(site, settings, commit, tmp_path, monkeypatch, how):
    url, host = f"{site.url}/git/demo/.git", site.url.removeprefix("https://")
    site.git_login = f"Bearer {SECRET}" if how == "bearer" else BASIC
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(ModelstacksError):
        archive_commit(url, commit, tmp_path / "a.tar", settings)
    if how == "netrc":
        (tmp_path / ".netrc").write_text(f"machine localhost login user password {SECRET}\n")
    else:
        monkeypatch.setenv("GIT_TOKEN", SECRET if how == "bearer" else f"user:{SECRET}")
        settings = replace(settings, tokens={host: "GIT_TOKEN"})
    archive_commit(url, commit, tmp_path / "a.tar", settings)
    with pytest.raises(JobError) as caught:
        archive_commit(url, "1" * 40, tmp_path / "b.tar", settings)
    assert SECRET not in str(caught.value.document())
    assert site.logins[-1] == site.git_login


def test_git_goes_through_the_proxy(site, settings, commit, tmp_path, monkeypatch):
    monkeypatch.delenv("no_proxy")
    with proxy(f"user:{SECRET}") as tunnel:
        monkeypatch.setenv("HTTPS_PROXY", f"http://user:{SECRET}@127.0.0.1:{tunnel.port}")
        archive_commit(f"{site.url}/git/demo/.git", commit, tmp_path / "a.tar", settings)
        assert {target for target, _ in tunnel.seen} == {site.url.removeprefix("https://")}
        monkeypatch.setenv("HTTPS_PROXY", f"http://user:{SECRET}-wrong@127.0.0.1:{tunnel.port}")
        with pytest.raises(ModelstacksError) as caught:
            archive_commit(f"{site.url}/git/demo/.git", commit, tmp_path / "b.tar", settings)
    assert SECRET not in str(caught.value.document())
