"""What somebody planted where fetch writes is neither followed nor written through, and costs no good file."""

from __future__ import annotations

import os

import pytest

from builder.errors import SurroundingsError
from builder.fetch import fetch


@pytest.fixture
def victim(tmp_path):
    """A good file of the user's, which must stay as it is."""
    path = tmp_path / "victim"
    path.write_text("whole")
    return path


@pytest.fixture
def partial(settings):
    folder = settings.wheels / ".partial"
    folder.mkdir(parents=True)
    return folder


def _plant(kind, place, victim):
    if kind == "link":
        place.symlink_to(victim)
    elif kind == "dangling link":
        place.symlink_to(victim.with_name("made"))
    elif kind == "hard link":
        place.hardlink_to(victim)
    elif kind == "device":
        place.symlink_to("/dev/full")
    elif kind == "fifo":
        os.mkfifo(place)


@pytest.mark.parametrize("kind", ["link", "dangling link", "hard link", "device", "fifo"])
@pytest.mark.parametrize("place", [".partial/{sha256}.part", ".verified/{sha256}"])
def test_what_is_planted_is_replaced(site, settings, ui, wheel, victim, partial, kind, place):
    item = wheel()
    target = settings.wheels / place.format(sha256=item.sha256)
    target.parent.mkdir(exist_ok=True)
    _plant(kind, target, victim)
    fetch([item], {}, settings, ui)
    assert victim.read_text() == "whole" and not victim.with_name("made").exists()
    path = settings.wheels / item.filename
    assert path.read_bytes() == site.files[item.filename] and not path.is_symlink()
    assert path.stat().st_nlink == 1
    assert fetch([item], {}, settings, ui).kept == 1


@pytest.mark.parametrize("kind", ["link", "dangling link", "hard link"])
def test_a_lock_file_that_is_a_link_is_not_written_through(settings, ui, wheel, victim, partial, kind):
    item = wheel()
    _plant(kind, partial / f"{item.sha256}.lock", victim)
    try:
        fetch([item], {}, settings, ui)
    except SurroundingsError as error:
        assert "cannot be used" in error.problem
    assert victim.read_text() == "whole"


@pytest.mark.parametrize("name", [".partial", ".verified"])
def test_a_folder_that_is_a_link_is_named(settings, ui, wheel, tmp_path, name):
    (tmp_path / "outside").mkdir()
    settings.wheels.mkdir(parents=True)
    (settings.wheels / name).symlink_to(tmp_path / "outside")
    with pytest.raises(SurroundingsError, match="a folder of ours is a link") as caught:
        fetch([wheel()], {}, settings, ui)
    assert caught.value.where.endswith(name)
    assert list((tmp_path / "outside").iterdir()) == []


def test_a_folder_where_the_part_belongs_is_named(settings, ui, wheel, partial):
    item = wheel()
    (partial / f"{item.sha256}.part").mkdir()
    with pytest.raises(SurroundingsError, match="a folder stands where a file belongs"):
        fetch([item], {}, settings, ui)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_part_of_another_user_is_started_anew(site, settings, ui, wheel, partial):
    item = wheel()
    part = partial / f"{item.sha256}.part"
    part.write_bytes(site.files[item.filename][:100_000])
    os.chown(part, 12345, 12345)
    fetch([item], {}, settings, ui)
    assert site.sent(item.filename) == item.size
    assert (settings.wheels / item.filename).stat().st_uid == 0


def test_a_part_of_our_own_goes_on(site, settings, ui, wheel, partial):
    item = wheel()
    (partial / f"{item.sha256}.part").write_bytes(site.files[item.filename][:100_000])
    fetch([item], {}, settings, ui)
    assert site.sent(item.filename) == item.size - 100_000


def test_the_wheelhouse_itself_may_be_a_link(site, settings, ui, wheel, tmp_path):
    (tmp_path / "large-disk").mkdir()
    settings.home.mkdir()
    settings.wheels.symlink_to(tmp_path / "large-disk")
    item = wheel()
    fetch([item], {}, settings, ui)
    assert (tmp_path / "large-disk" / item.filename).read_bytes() == site.files[item.filename]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_stamps_of_another_user_hold(site, settings, ui, wheel):
    item = wheel()
    fetch([item], {}, settings, ui)
    for path in (settings.wheels / ".verified").iterdir():
        os.chown(path, 12345, 12345)
        before = path.stat()
    assert fetch([item], {}, settings, ui).kept == 1
    assert path.stat() == before
