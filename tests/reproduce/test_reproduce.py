"""Two builds from nothing: the same in both image stores, and told apart where they are not."""

from __future__ import annotations

import json
import re
import shutil
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from builder.engine.client import Engine
from builder.lock.existing import locked
from builder.reproduce import reproduce
from builder.reproduce.differences import differences
from builder.settings import Settings, load
from builder.spec import load_stack
from builder.ui import Ui
from tests.conftest import IMAGES, REPO, cli, document
from tests.private_engine import Store, private_engine


@pytest.mark.parametrize("store", ["overlay2", "containerd"])
def test_two_builds_are_identical_in_both_image_stores(
    tiny: Path, engine: Engine, store: Store, tmp_path: Path
) -> None:
    words = ["--json", "--stacks", str(tiny), "reproduce", "tiny"]
    if engine.info.store == store:
        done = cli(*words)
    else:
        with private_engine(store, tmp_path) as other:
            done = cli(*words, env={"DOCKER_HOST": other.host})
            document(cli("--json", "--stacks", str(tiny), "build", "tiny", env={"DOCKER_HOST": other.host}))
            kinds = layer_kinds(Engine.connect(other.host), tmp_path / "image.tar")
        assert kinds[1:] == (["zstd"] if store == "containerd" else ["tar"]) * (len(kinds) - 1)
    report = document(done)["reports"][0]
    assert report["store"] == store
    assert report["identical"] is True
    assert report["ids"][0] == report["ids"][1]
    assert report["base"][0] == report["base"][1] != ""
    assert report["files"] == []


def layer_kinds(engine: Engine, archive: Path) -> list[str]:
    """How each layer of the built image is kept: tar, gzip or zstd, the base's first."""
    engine.run(["save", "--output", str(archive), f"{IMAGES}/tiny:latest"])
    with tarfile.open(archive) as tar:

        def blob(digest: str) -> dict[str, Any]:
            member = tar.extractfile(f"blobs/sha256/{digest.removeprefix('sha256:')}")
            assert member is not None
            value: dict[str, Any] = json.load(member)
            return value

        index = tar.extractfile("index.json")
        assert index is not None
        manifest = blob(json.load(index)["manifests"][0]["digest"])
    return [re.split(r"[.+]", layer["mediaType"])[-1] for layer in manifest["layers"]]


@dataclass(frozen=True, kw_only=True)
class _OtherTemplates(Settings):
    """Settings whose templates lie elsewhere."""

    folder: Path = Path()

    @property
    def templates(self) -> Path:
        return self.folder


@pytest.mark.heavy  # builds twice, 25 s; test_run_lines.py shows in less time that what differs is named
def test_a_build_that_depends_on_the_clock_is_told_and_its_file_named(
    tiny: Path, engine: Engine, tmp_path: Path
) -> None:
    shutil.copytree(REPO / "templates", tmp_path / "templates")
    with (tmp_path / "templates" / "labels.j2").open("a") as stream:
        stream.write("RUN date +%N > /etc/built-at\n")
    base = load(stacks=(tiny,))
    settings = _OtherTemplates(home=base.home, stacks=base.stacks, image_prefix=IMAGES, folder=tmp_path / "templates")
    stack = load_stack("tiny", settings)
    report = reproduce(stack, locked(stack), settings, engine, Ui())
    assert not report.identical
    assert [item.path for item in report.files if item.what == "bytes"] == ["etc/built-at"]
    assert engine.image(f"{IMAGES}/tiny:reproduce-1") is None


def test_differences_names_presence_mode_owner_link_and_bytes(tiny: Path, engine: Engine, tmp_path: Path) -> None:
    steps = {
        "one": "touch /only-here && echo a > /bytes && chmod 600 /bytes && ln -s a /link",
        "two": "echo b > /bytes && chmod 644 /bytes && ln -s b /link && touch /owned && chown 5:6 /owned",
    }
    for name, step in steps.items():
        (tmp_path / name).write_text(f"FROM {IMAGES}/tiny:latest\nRUN {step}\n")
        where = ["--tag", f"{IMAGES}/test:{name}", "--file", str(tmp_path / name), str(tmp_path)]
        engine.run(["buildx", "build", "--quiet", "--network=none", *where])
    try:
        found = {(item.path, item.what) for item in differences(engine, f"{IMAGES}/test:one", f"{IMAGES}/test:two")}
    finally:
        for name in steps:
            engine.remove(f"{IMAGES}/test:{name}")
    assert {("only-here", "presence"), ("owned", "presence"), ("bytes", "mode"), ("bytes", "bytes")} <= found
    assert ("link", "link") in found
    assert not any(path.startswith("usr/") for path, _ in found)
