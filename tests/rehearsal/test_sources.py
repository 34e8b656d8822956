"""Real repositories in the place of the addresses that a stack names: whole, and with files missing."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from builder.errors import InputError
from tests.rehearsal import sources

WHO = ["-c", "user.name=test", "-c", "user.email=test@example.org"]


def git(where: Path, *words: str) -> str:
    done = subprocess.run(["git", *WHO, *words], cwd=where, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, str]:
    """A bare repository of two files in a folder of sources, and its commit."""
    work, bare = tmp_path / "work", tmp_path / "sources" / "example.org" / "a" / "b.git"
    work.mkdir()
    git(work, "init", "-q")
    (work / "code.py").write_text("print()\n")
    (work / "big.gif").write_bytes(b"big")
    git(work, "add", ".")
    git(work, "commit", "-qm", "one")
    git(tmp_path, "clone", "-q", "--bare", str(work), str(bare))
    monkeypatch.setenv(sources.SOURCES, str(tmp_path / "sources"))
    return bare, git(work, "rev-parse", "HEAD")


def test_a_whole_repository_is_served_at_the_very_commit(made: tuple[Path, str], tmp_path: Path) -> None:
    [real] = sources.serve([("https://example.org/a/b", made[1])], tmp_path / "git")
    assert (real.served, real.missing) == (made[1], ())
    assert git(tmp_path / "git" / "example.org" / "a" / "b.git", "cat-file", "-t", made[1]) == "commit"


def test_a_missing_file_is_named_and_all_others_are_as_they_are(made: tuple[Path, str], tmp_path: Path) -> None:
    bare, commit = made
    blob = git(bare, "rev-parse", f"{commit}:big.gif")
    (bare / "objects" / blob[:2] / blob[2:]).unlink()
    (tmp_path / "git").mkdir()
    [real] = sources.serve([("https://example.org/a/b.git", commit)], tmp_path / "git")
    assert real.missing == ("big.gif",)
    assert real.served != commit
    assert "but for big.gif, which the copy here lacks" in str(real)
    served = tmp_path / "git" / "example.org" / "a" / "b.git"
    assert git(served, "show", f"{real.served}:code.py") == "print()"
    assert git(served, "show", f"{real.served}:big.gif") == ""


def test_a_repository_without_the_commit_is_refused(made: tuple[Path, str], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has no commit 0000"):
        sources.serve([("https://example.org/a/b", "0" * 40)], tmp_path / "git")
    assert not sources.there("https://example.org/a/c")
