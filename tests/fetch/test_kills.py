"""Fetches that are stopped at a named point inside; what has its final name is whole, and the next run goes on."""

from __future__ import annotations

import hashlib
import json
import signal
from dataclasses import replace

import pytest

from builder.lock import inputs_digest, read, sources, store, weights
from builder.net.session import Session
from builder.spec import load_stack
from tests.conftest import cli
from tests.lock.test_store import artifact, everything
from tests.stopped import aside, at, code_of, stopped, tree

FAMILY = {"summary": "test", "base": {"image": "debian:12", "glibc": "2.36"}, "python": "3.11"}
FILES = {name: hashlib.shake_128(name.encode()).digest(200_000) for name in ("first.bin", "second.bin", "third.bin")}
POINTS = {
    "while a hash is recorded": ("pathlib:Path.replace", r"stack\.lock'\)\)", 1),
    "before the first has its name": ("pathlib:Path.replace", r"\.part'\), ", 1),
    "after the first, before its stamp": ("builder.fetch.shelf:Shelf.stamp", "", 1),
    "before the third has its name": ("pathlib:Path.replace", r"\.part'\), ", 3),
    "while git brings a source": ("builder.net.git:_Git.fetch", "", 1),
    "before a source is whole": ("pathlib:Path.replace", r"archive\.tar'\), ", 1),
}


@pytest.fixture
def here(site, settings, repository, tmp_path):
    """A stack of three weights, one of whose hashes is pending, a tool and a git source; locked, nothing fetched."""
    site.files |= FILES
    commit = repository(code="print()\n")
    tool = b"uv" * 1000
    site.files["uv-1-py3-none-any.whl"] = tool
    stacks = tmp_path / "stacks"
    (stacks / "families").mkdir(parents=True)
    (stacks / "families" / "own.yaml").write_text(json.dumps(FAMILY))
    (stacks / "one").mkdir()
    rows = [{"into": "/weights", "url": f"{site.url}/files/{name}"} for name in FILES]
    for row, data in zip(rows[1:], list(FILES.values())[1:], strict=True):
        row["sha256"] = hashlib.sha256(data).hexdigest()
    git = {"git": f"{site.url}/git/demo/.git", "commit": commit, "into": "/code"}
    text = {"summary": "One", "family": "own", "weights": rows, "sources": [git]}
    (stacks / "one" / "stack.yaml").write_text(json.dumps(text))
    settings = replace(settings, stacks=(stacks,))
    stack = load_stack("one", settings)
    with Session(settings) as session:
        _, files, _ = weights.locked(stack, session, None)
    made = sources.locked(git["git"], commit, replace(settings, home=tmp_path / "elsewhere"))
    whole = everything()
    base = replace(whole.base, kind="image", reference="debian@sha256:" + "1" * 64, digest="sha256:" + "1" * 64)
    base = replace(base, distribution="", include=(), epoch=0, debs=())
    lock = replace(
        whole, wheels=(), debs=(), indexes={}, base=base, inputs=inputs_digest(stack), weights=files, sources=(made,),
        tools=(artifact("tool", "uv-1-py3-none-any.whl", tool, project="uv"),),
    )  # fmt: skip
    return store.write(stacks / "one", lock)


@pytest.fixture
def environment(settings, tmp_path):
    for name in ("tmp", "user"):
        (tmp_path / name).mkdir()
    return {
        "MODELSTACKS_HOME": str(settings.home), "MODELSTACKS_STACKS": str(tmp_path / "stacks"),
        "MODELSTACKS_INDEX": settings.index, "CA_BUNDLE": str(settings.ca_bundle[0]), "no_proxy": "localhost",
        "MODELSTACKS_CACHE": str(tmp_path / "cache"), "TMPDIR": str(tmp_path / "tmp"), "HOME": str(tmp_path / "user"),
    }  # fmt: skip


def whole(settings, lock):
    """The files of a lock that are at their final names: each of them is right."""
    found = {item.filename: settings.home / item.folder / item.filename for item in lock.artifacts() if item.sha256}
    there = {name: path.read_bytes() for name, path in found.items() if path.exists()}
    locked = {item.filename: item.sha256 for item in lock.artifacts()}
    assert {name: hashlib.sha256(data).hexdigest() for name, data in there.items()}.items() <= locked.items()
    return there


@at(POINTS, "while a hash is recorded", "after the first, before its stamp", "while git brings a source")
def test_a_fetch_that_is_stopped_has_nothing_half_and_the_next_one_goes_on(
    here, settings, environment, tmp_path, point, number
):
    folder = tmp_path / "stacks" / "one"
    with stopped(POINTS[point], ["fetch", "one"], tmp_path / "stop", env=environment) as run:
        before = whole(settings, read(folder))
        code, said = run.ended(number)
    assert code == code_of(number), said
    assert "Traceback" not in said
    after = whole(settings, read(folder))
    assert before.items() <= after.items(), "what was whole stays"
    again = cli("fetch", "one", env=environment)
    assert again.returncode == 0, again.stderr
    assert len(whole(settings, read(folder))) == len(here.artifacts()) == 5
    assert read(folder).pending == ()
    assert not aside(settings.home, folder)
    parts = [path for path in tree(settings.home) if "/.partial/" in path]
    assert not parts
    assert not tree(tmp_path / "tmp")
    assert signal.Signals(number)
