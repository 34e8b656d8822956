"""The verb itself: where the file goes, what is refused, and a container that is read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from builder.errors import InputError
from builder.new import containers
from builder.new.found import Found
from builder.new.verb import new
from builder.settings import Settings
from builder.ui import Ui
from tests.conftest import REPO, cli, document, write_stack
from tests.lock.conftest import Index, authority, index, sdist, wheel
from tests.lock.conftest import settings as index_settings

__all__ = ["authority", "index", "index_settings"]


def test_it_asks_the_index_and_never_writes_over_a_stack(
    index: Index, index_settings: Settings, tmp_path: Path
) -> None:
    index.add(wheel("alpha", "1.0"))
    index.add(sdist("beta", "1.0", ""))
    family = (REPO / "stacks" / "families" / "debian12-py311.yaml").read_text()
    (index_settings.stacks[0] / "families" / "plain.yaml").write_text(family)
    (tmp_path / "r.txt").write_text("alpha\nbeta==1.0\ngamma\n")
    done = new("mine", [str(tmp_path / "r.txt")], index_settings, Ui())
    assert done["family"] == "plain"
    found = {(one["what"], one["kind"], one["into"]) for one in done["decisions"]}
    assert found >= {("beta", "moved", "from-source"), ("gamma", "yours", "packages"), ("alpha", "kept", "packages")}
    with pytest.raises(InputError, match="there is a stack mine already"):
        new("mine", [str(tmp_path / "r.txt")], index_settings, Ui())
    for name in ("../up", "families", "A"):
        with pytest.raises(InputError, match="is not a stack's name"):
            new(name, [], index_settings, Ui())


def test_the_command_line_and_its_document(tmp_path: Path) -> None:
    stacks = tmp_path / "stacks"
    write_stack(stacks, "other", packages=[])
    (tmp_path / "requirements.txt").write_text("six==1.17.0\n")
    words = ["--json", "--stacks", str(stacks), "new", "mine", "--from", str(tmp_path / "requirements.txt")]
    done = cli(*words)
    said = document(done)
    assert f"next: make lock STACK=mine STACKS={stacks}\n" in done.stderr, "the folder is named as it was here"
    assert said["file"] == str(stacks / "mine" / "stack.yaml")
    assert Path(said["file"]).is_file()
    assert json.loads(cli(*words).stdout)["errors"][0]["problem"] == "there is a stack mine already"


def test_an_image_is_read_by_its_own_python(tiny: Path, engine) -> None:
    tag = next(
        one
        for one in engine.run(["images", "--format", "{{.Repository}}:{{.Tag}}"]).stdout.split()
        if "/tiny:latest" in one
    )
    found = Found()
    containers.read("image", tag, found)
    assert [one.text for one in found.asked] == ["six==1.17.0"]
    assert found.python[0].text == "3.11"
    assert not engine.containers(named="modelstacks-new-", stopped=True)
    with pytest.raises(InputError, match="the engine has no image nope"):
        containers.read("image", "nope", Found())
