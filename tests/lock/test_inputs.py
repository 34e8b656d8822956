"""What makes a lock stale, and what no lock and no file of the project may name."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from builder import settings as site
from builder.errors import InputError, SurroundingsError
from builder.lock import inputs_digest, read, require_fresh
from builder.net.archive import archive
from builder.net.index import default_index
from builder.spec import renamed
from builder.spec.extension import Extension
from builder.spec.model import Stack
from builder.spec.parts import Source
from builder.spec.stacks import load, load_stack, stack_folder, stack_names
from tests.lock.conftest import FAMILY, MakeStack
from tests.lock.test_store import everything

REPO = Path(__file__).resolve().parents[2]
SHIPPED = sorted(path.parent.name for path in (REPO / "stacks").glob("*/stack.lock"))
OWN = {"own": {"url": "https://example.org/simple/", "packages": ["alpha"]}}
WEIGHT = {"url": "https://example.org/net.bin", "sha256": "0" * 64, "into": "/data"}
SOURCE = {"git": "https://example.org/code", "commit": "a" * 40, "into": "/code"}
BOOT = {"distribution": "debian", "suites": ["bookworm"], "packages": ["python3", "git"]}


@pytest.mark.parametrize(
    "change",
    [
        {"packages": ["alpha<2"]},
        {"from-source": ["alpha"]},
        {"indexes": OWN},
        {"system": ["file"]},
        {"overrides": ["beta==1"]},
        {"without": ["beta"]},
        {"exclude-newer": "2024-05-01"},
        {"sources": [SOURCE]},
        {"weights": [WEIGHT]},
        {"family": {"python": "3.12"}},
        {"family": {"packages": ["beta"]}},
        {"family": {"indexes": OWN}},
        {"family": {"system": ["file"]}},
        {"family": {"base": {"bootstrap": BOOT, "glibc": "2.36"}}},
        {"family": {"base": {**FAMILY["base"], "glibc": "2.31"}}},
        {"family": {"base": {"image": "debian:12", "glibc": "2.36"}}},
    ],
    ids=str,
)
def test_what_shapes_the_resolution_makes_a_lock_stale(make_stack: MakeStack, change: dict[str, Any]) -> None:
    before = inputs_digest(make_stack("alpha"))
    packages = change.pop("packages", ["alpha"])
    assert inputs_digest(make_stack(*packages, **change)) != before


@pytest.mark.parametrize(
    "change",
    [
        {"summary": "Other words"},
        {"env": {"A": "1"}},
        {"smoke": ["python"]},
        {"libraries": ["alpha/lib"]},
        {"paths": ["/code"]},
        {"gpus": ["8.6"]},
        {"cmd": ["serve"], "ports": [80], "labels": {"a": "b"}, "healthcheck": {"command": ["/bin/true"]}},
        {"imports": ["alpha"]},
        {"family": {"summary": "Other words", "cuda": "12.9"}},
    ],
    ids=str,
)
def test_what_does_not_shape_it_leaves_the_lock_fresh(make_stack: MakeStack, change: dict[str, Any]) -> None:
    before = inputs_digest(make_stack("alpha"))
    assert inputs_digest(make_stack("alpha", **change)) == before


@pytest.mark.parametrize("row", renamed.families(), ids=lambda row: row["former"])
def test_a_lock_goes_on_under_the_new_name_of_its_family(make_stack: MakeStack, row: renamed.Renamed) -> None:
    stack = make_stack("alpha")
    before, after, other = (
        inputs_digest(stack.model_copy(update={"family": name})) for name in (row["former"], row["name"], "other")
    )
    assert before == after != other


def test_a_stale_lock_is_told_with_its_cure(make_stack: MakeStack, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        require_fresh(make_stack("alpha"), everything(), tmp_path)
    assert str(caught.value) == (
        f"{tmp_path}/stack.lock: the lock of one is stale: the stack or its family asks for something else "
        "than when it was locked. Fix: run `make lock STACK=one`"
    )


def test_each_shipped_stack_has_a_lock() -> None:
    settings = site.load(environ={})
    # a service is locked where its registry can be reached
    assert {name for name in stack_names(settings) if isinstance(load(name, settings), Stack)} == set(SHIPPED)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_page_names_every_host_that_its_lock_still_waits_for(name: str) -> None:
    lock = read(stack_folder(name, site.load(environ={})))
    pages = (REPO / "docs" / "stacks" / f"{one}.md" for one in (name, name.rpartition("-")[0]))
    text = next((page.read_text() for page in pages if page.exists()), "")
    for one in lock.unresolved:
        if one.origin and one.origin.scheme == "index":
            waits_for = urlsplit(lock.indexes[one.origin.place].url).hostname
        elif one.origin and one.kind in ("source", "weight", "archive"):
            waits_for = "huggingface.co" if one.origin.scheme == "hf" else urlsplit(one.origin.place).hostname
        else:
            waits_for = one.name if one.kind == "base" else "system packages"
        assert str(waits_for) in text, f"its page does not say that {one.name} waits for {waits_for}"


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_lock_is_fresh_and_names_no_host_but_the_stacks_own(name: str) -> None:
    settings = site.load(environ={})
    stack, folder = load_stack(name, settings), stack_folder(name, settings)
    lock = read(folder)
    require_fresh(stack, lock, folder)
    own = {str(index.url or index.find_links) for index in stack.indexes.values()}
    git: list[Source | Extension] = [*stack.sources, *(one for one in stack.extensions if one.git)]
    own |= {f"git+{one.git}@{one.commit}" for one in git} | {item.url for item in stack.weights if item.url}
    own |= {item.url for one in stack.extensions for item in one.downloads}
    for file in ("stack.lock", "pylock.toml"):
        named = set(re.findall(r'"([^"]*https?://[^"]*)"', (folder / file).read_text()))
        assert named <= own, f"{file} names an address that the stack does not"


def _hosts() -> set[str]:
    """Hosts of the default index and of the archives that this machine would use, and what they have in common."""
    settings = site.load(environ={})
    addresses = [default_index(settings)]
    for distribution in ("debian", "debian-security", "ubuntu"):
        try:
            addresses.append(archive(settings, distribution))
        except SurroundingsError:
            continue
    return {str(urlsplit(address).hostname) for address in addresses}


def test_no_file_of_the_project_names_the_default_index_or_an_archive() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=REPO, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("needs a git checkout: the files that belong to the project are asked of git")
    hosts = _hosts()
    assert hosts
    guilty = [
        f"{name}: {host}"
        for name in listed.stdout.split("\0")
        if name and (REPO / name).is_file()
        for host in hosts
        if host in (REPO / name).read_text(errors="replace")
    ]
    assert not guilty
