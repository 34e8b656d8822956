"""Git sources, from a real git server over TLS."""

from __future__ import annotations

import os
import subprocess
import tarfile
from dataclasses import replace

import pytest

from builder.errors import JobError, SurroundingsError
from builder.fetch import fetch
from builder.files import sha256_of
from builder.lock.model import Artifact
from builder.net.git import archive_commit


@pytest.fixture
def repository(site, tmp_path):
    """A repository behind the server; gives a function that commits files and tells the commit."""
    site.git_root = tmp_path / "repositories"
    folder = site.git_root / "demo"
    folder.mkdir(parents=True)
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "GIT_CONFIG_NOSYSTEM": "1"}
    for who in ("AUTHOR", "COMMITTER"):
        environment |= {f"GIT_{who}_NAME": "A", f"GIT_{who}_EMAIL": "a@example.org"}
        environment |= {f"GIT_{who}_DATE": "2024-05-06T07:08:09Z"}

    def git(*arguments):
        done = subprocess.run(
            ["git", *arguments], cwd=folder, env=environment, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    git("init", "--quiet")

    def commit(**files):
        for name, text in files.items():
            (folder / name.replace("__", ".")).write_text(text)
        git("add", ".")
        git("commit", "--quiet", "--message", "a change")
        return git("rev-parse", "HEAD")

    return commit


def test_a_commit_gives_the_same_tar_each_time(site, settings, ui, repository, tmp_path):
    first = repository(code="print()\n", secret="kept\n", __gitattributes="secret export-ignore\n")
    repository(code="changed\n")
    url = f"{site.url}/git/demo/.git"
    for name in ("one.tar", "two.tar"):
        archive_commit(url, first, tmp_path / name, settings)
    assert (tmp_path / "one.tar").read_bytes() == (tmp_path / "two.tar").read_bytes()
    with tarfile.open(tmp_path / "one.tar") as tar:
        assert sorted(tar.getnames()) == [".gitattributes", "code", "secret"]
        assert {member.mtime for member in tar} == {1714979289}, "the time of the commit"
        assert tar.extractfile("code").read() == b"print()\n"
    artifact = Artifact(
        kind="source",
        filename="demo.tar",
        size=(tmp_path / "one.tar").stat().st_size,
        sha256=sha256_of(tmp_path / "one.tar"),
        origin=f"git+{url}@{first}",
    )
    assert fetch([artifact], {}, settings, ui).fetched == ("demo.tar",)
    assert (settings.assets / "sources" / "demo.tar").read_bytes() == (tmp_path / "two.tar").read_bytes()
    with pytest.raises(JobError, match="is not the locked"):
        fetch([replace(artifact, filename="other.tar", sha256="0" * 64)], {}, settings, ui)
    assert not (settings.assets / "sources" / "other.tar").exists()


def test_a_git_server_is_trusted_through_the_ca_bundle_only(site, settings, repository, tmp_path):
    commit = repository(code="x\n")
    with pytest.raises(SurroundingsError, match="not trusted") as caught:
        archive_commit(f"{site.url}/git/demo/.git", commit, tmp_path / "a.tar", replace(settings, ca_bundle=()))
    assert "CA_BUNDLE" in caught.value.fix


def test_a_commit_that_is_not_there_is_refused(site, settings, repository, tmp_path):
    repository(code="x\n")
    with pytest.raises(JobError, match="git cannot fetch the commit"):
        archive_commit(f"{site.url}/git/demo/.git", "1" * 40, tmp_path / "a.tar", settings)
    assert [path.name for path in tmp_path.glob("*.tar")] == []
    assert not list(tmp_path.glob(".git-*"))


def test_submodules_are_refused_by_name(site, settings, repository, tmp_path):
    commit = repository(__gitmodules='[submodule "a"]\n path = a\n url = https://example.org/a\n')
    with pytest.raises(JobError, match="submodules, which are not supported yet"):
        archive_commit(f"{site.url}/git/demo/.git", commit, tmp_path / "a.tar", settings)
