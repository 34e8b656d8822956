"""What no lock names goes; what a lock names, what is young, open or held by a command stays."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from builder.engine.client import Engine
from builder.files import held, held_folder
from builder.lock import store
from builder.prune import plan
from tests.bundle.conftest import Site, add_stack, site, wheel
from tests.conftest import IMAGES, cli, document


@pytest.fixture
def here(tmp_path: Path) -> Site:
    """A site with the stacks `mini` and `other`, whose files are there."""
    made = site(tmp_path / "here")
    add_stack(made, "mini", {"alpha": wheel("alpha", "a" * 3000)})
    add_stack(made, "other", {"beta": wheel("beta", "b" * 4000)})
    return made


@pytest.fixture(autouse=True)
def grown(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was made just now may go too, in runs of this process; those of the command line are told by `pruned`."""
    monkeypatch.setattr(plan, "YOUNG", -1.0)


def found(made: Site) -> dict[str, int]:
    """What may go: name and size."""
    from builder.spec import Stacks

    named = plan.locks(Stacks(made.settings).named(["all"]))
    return {one.name: one.size for one in plan.left(made.settings, named, None)}


def pruned(made: Site, *words: str, code: int = 0) -> dict[str, Any]:
    return document(cli("--json", "prune", "--files-only", *words, env=made.environment), code=code)


def test_nothing_goes_that_a_lock_names(here: Site) -> None:
    assert found(here) == {}
    lock = store.read(here.stacks / "mini")
    here_file = here.stacks / "mini" / "stack.yaml"
    here_file.write_text(here_file.read_text().replace("made for a test", "another"))
    assert found(here) == {}, "a stale lock names its files still"
    assert all((here.home / item.folder / item.filename).is_file() for item in lock.carried())


def test_what_a_removed_stack_alone_had_may_go(here: Site) -> None:
    shutil.rmtree(here.stacks / "other")
    rows = found(here)
    assert rows.keys() == {"wheels/beta-1-py3-none-any.whl"}
    assert rows["wheels/beta-1-py3-none-any.whl"] == (here.home / "wheels/beta-1-py3-none-any.whl").stat().st_size


def test_every_kind_of_leftover_is_found_and_nothing_else(here: Site) -> None:
    home = here.home
    leftovers = ["wheels/x-1-py3-none-any.whl", "wheels/x-1.tar.gz", "assets/debs/x.deb", "assets/sources/x.tar"]
    leftovers += ["assets/weights/x.pth", "assets/archives/x.zip", f"assets/bases/blobs/{'0' * 64}"]
    leftovers += [f"assets/bases/{'1' * 64}.tar"]
    others = ["wheels/README.md", "assets/own-wheels/x.whl", "assets/debs/.partial/x.part", "wheels/.verified/x"]
    others += [f"assets/bases/{'1' * 64}.lock", f"wheels/built/.{'2' * 64}.lock", "assets/mine/x"]
    built = f"wheels/built/{'2' * 64}"
    for name in [*leftovers, *others, f"{built}/x.whl", f"{built}/built.json"]:
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text("x" * 10)
    (home / "assets/weights/link").symlink_to("/etc/passwd")
    assert found(here).keys() == {*leftovers, built}


def test_a_file_of_two_names_gains_nothing(here: Site) -> None:
    (here.home / "wheels" / "x-1-py3-none-any.whl").write_text("x" * 10)
    (here.root / "elsewhere").hardlink_to(here.home / "wheels" / "x-1-py3-none-any.whl")
    assert found(here) == {"wheels/x-1-py3-none-any.whl": 0}


def test_what_is_open_or_young_stays(here: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    path = here.home / "wheels" / "x-1-py3-none-any.whl"
    path.write_text("x")
    with path.open():
        assert found(here) == {}
    assert found(here).keys() == {"wheels/x-1-py3-none-any.whl"}
    monkeypatch.setattr(plan, "YOUNG", 3600.0)
    os.utime(path, (0, 0))  # an old date of its content says nothing
    assert found(here) == {}


def test_it_is_listed_first_and_removed_when_asked(here: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    from builder.prune import left, remove
    from builder.spec import Stacks
    from builder.ui import Ui

    shutil.rmtree(here.stacks / "other")
    path = here.home / "wheels" / "beta-1-py3-none-any.whl"
    before = here.tree()
    assert pruned(here)["found"] == pruned(here, "--yes")["removed"] == [], "it is young"
    assert here.tree().keys() - before.keys() <= {"home/build"}
    named = plan.locks(Stacks(here.settings).named(["all"]))
    gone, stayed = remove(left(here.settings, named, None), here.settings, None, Ui())
    assert ([one.name for one in gone], stayed) == (["wheels/beta-1-py3-none-any.whl"], [])
    assert not path.exists()


def test_a_command_at_work_is_not_disturbed(here: Site) -> None:
    with held(here.home / "build" / "mini" / ".building"):
        (error,) = pruned(here, "--yes", code=3)["errors"]
        assert "at work" in error["problem"]
    with held_folder(here.home / "wheels"):
        assert pruned(here, code=3)["errors"]
    assert pruned(here)["found"] == []


def test_a_damaged_lock_stops_it(here: Site) -> None:
    (here.stacks / "other" / "stack.lock").write_text("version = 1\n")
    assert pruned(here, "--yes", code=2)["errors"]


def test_images_of_other_locks_may_go_and_those_of_others_stay(
    here: Site, engine: Engine, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The image of `tiny` under names that no lock here leads to."""
    of_tiny = f"{IMAGES}/tiny:latest"
    old, strange, nested = f"{IMAGES}/mini:0123456789ab", "modelstacks-other/x:latest", f"{IMAGES}/deep/er:latest"
    for name in (old, strange, nested):
        engine.tag(of_tiny, name)
    try:
        names = {one["name"] for one in document(cli("--json", "prune", env=here.environment))["found"]}
        assert {old, of_tiny} <= names
        assert not {strange, nested} & names
        keep = {one["name"] for one in document(cli("--json", "--stacks", str(tiny), "prune"))["found"]}
        assert of_tiny not in keep
    finally:
        for name in (old, strange, nested):
            engine.remove(name)
