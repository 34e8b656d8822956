"""Runs of two verbs in one home at once: each is shown to be inside while the other goes through."""

from __future__ import annotations

from pathlib import Path

import pytest

from builder.lock import read
from tests.conftest import cli
from tests.fetch.conftest import authority, repositories, repository, settings, site
from tests.fetch.test_kills import environment, here, whole
from tests.stopped import aside, stopped, tree

__all__ = ["authority", "environment", "here", "repositories", "repository", "settings", "site"]  # fixtures

THIRD = ("pathlib:Path.replace", r"\.part'\), ", 3)  # a fetch that has brought two of five files
PLACING = ("builder.bundle.place:_Import._place", "", 1)  # an import that has verified all


@pytest.fixture
def bundle(here, environment, own, tmp_path):
    """The bundle of a stack of five files, made in a home of its own."""
    first = {**environment, "MODELSTACKS_HOME": str(tmp_path / "first")}
    fetched = cli("fetch", "one", env=first)
    assert fetched.returncode == 0, fetched.stderr
    for home in (tmp_path / "first", tmp_path / "home"):
        folder = home / "assets" / "own-wheels"
        folder.mkdir(parents=True)
        for path in [*own, *own[0].parent.glob(".cp*.list")]:
            (folder / path.name).hardlink_to(path)
    path = tmp_path / "one.bundle.tar"
    exported = cli("export", "one", "--offline", "--out", str(path), env=first)
    assert exported.returncode == 0, exported.stderr
    return path


def _clean(settings, stacks: Path) -> None:
    assert len(whole(settings, read(stacks / "one"))) == 5
    assert not aside(settings.home, stacks)
    assert not [path for path in tree(settings.home) if "/.partial/" in path]


def test_an_import_while_a_fetch_brings_the_same_files(bundle, settings, environment, tmp_path):
    with stopped(THIRD, ["fetch", "one"], tmp_path / "stop", env=environment) as fetching:
        assert 0 < len(whole(settings, read(tmp_path / "stacks" / "one"))) < 5
        imported = cli("import", str(bundle), env=environment)
        assert imported.returncode == 0, imported.stderr
        assert len(whole(settings, read(tmp_path / "stacks" / "one"))) == 5
        code, said = fetching.ended()
    assert code == 0, said
    _clean(settings, tmp_path / "stacks")


def test_a_fetch_while_an_import_places_the_same_files(bundle, settings, environment, tmp_path):
    with stopped(PLACING, ["import", str(bundle)], tmp_path / "stop", env=environment) as importing:
        assert not whole(settings, read(tmp_path / "stacks" / "one"))
        fetched = cli("fetch", "one", env=environment)
        assert fetched.returncode == 0, fetched.stderr
        code, said = importing.ended()
    assert code == 0, said
    _clean(settings, tmp_path / "stacks")
    again = cli("--json", "fetch", "one", "--verify", "--offline", env=environment)
    assert again.returncode == 0, again.stderr


def test_an_export_while_a_fetch_writes_says_so_and_is_whole_afterwards(bundle, settings, environment, tmp_path):
    out = tmp_path / "dist" / "one.bundle.tar"
    words = ["export", "one", "--offline", "--out", str(out)]
    with stopped(THIRD, ["fetch", "one"], tmp_path / "stop", env=environment) as fetching:
        early = cli(*words, env=environment)
        assert early.returncode == 1 and "not fetched" in early.stderr, early.stderr
        assert not out.exists()
        code, said = fetching.ended()
    assert code == 0, said
    late = cli(*words, env=environment)
    assert late.returncode == 0, late.stderr
    assert out.read_bytes() == bundle.read_bytes()
    _clean(settings, tmp_path / "stacks")
