"""Two users of one home: what one of them fetched serves the other, one after the other and at once."""

from __future__ import annotations

import os

import pytest

from tests.fetch.test_kills import here, whole
from tests.other_user import USER, reachable, start

__all__ = ["here"]  # a fixture
GROUP, OTHER = 4000, 4343


@pytest.fixture
def shared(here, settings, tmp_path):
    """A home and a folder of stacks that a group may write, whose files go to that group; and the environment."""
    reachable(tmp_path)
    settings.home.mkdir()
    for folder in (settings.home, tmp_path / "stacks", tmp_path / "stacks" / "one"):
        for path in (folder, *folder.iterdir()):
            os.chown(path, 0, GROUP)
            path.chmod(0o2775 if path.is_dir() else 0o664)
    return {
        "MODELSTACKS_HOME": str(settings.home), "MODELSTACKS_STACKS": str(tmp_path / "stacks"),
        "MODELSTACKS_INDEX": settings.index, "CA_BUNDLE": str(settings.ca_bundle[0]), "no_proxy": "localhost",
    }  # fmt: skip


def fetching(user, tmp_path, environment):
    folder = tmp_path / str(user)
    folder.mkdir(exist_ok=True)
    os.chown(folder, user, user)
    return start(["fetch", "one"], folder, env=environment, user=user, group=GROUP, umask=0o002)


@pytest.mark.parametrize("at_once", [False, True], ids=["in turn", "at once"])
def test_two_users_of_a_group_share_a_home(here, settings, shared, tmp_path, at_once):
    first = fetching(USER, tmp_path, shared)
    if not at_once:
        first.wait(timeout=120)
    second = fetching(OTHER, tmp_path, shared)
    said = [run.communicate(timeout=120) for run in (first, second)]
    assert [run.returncode for run in (first, second)] == [0, 0], said
    from builder.lock import read

    assert len(whole(settings, read(tmp_path / "stacks" / "one"))) == 5
    for path in (settings.home / "assets").rglob("*"):
        assert path.stat().st_gid == GROUP


def test_a_user_beside_whom_another_left_a_part_begins_anew(here, settings, shared, site, tmp_path):
    item = here.weights[1]
    folder = settings.home / item.folder / ".partial"
    folder.mkdir(parents=True)
    (folder / f"{item.sha256}.part").write_bytes(b"of another")
    for path in (folder, *folder.parents, *folder.iterdir()):
        if path.is_relative_to(settings.home):
            os.chown(path, OTHER, GROUP)
            path.chmod(0o2775 if path.is_dir() else 0o600)
    run = fetching(USER, tmp_path, shared)
    _, said = run.communicate(timeout=120)
    assert run.returncode == 0, said
