"""Locks that somebody made by hand: each is refused by name, and none is a traceback or a hang."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from builder import settings as site
from builder.errors import InputError
from builder.files import read_bounded, sha256_text
from builder.lock import LockedIndex, StackLock, read, require_fresh, store
from builder.lock.service import read_any
from builder.origin import Origin
from builder.spec.model import Stack
from builder.spec.stacks import load
from tests.lock.test_store import everything

SHA = "0" * 64
BLOB = f'size = 1, sha256 = "{SHA}", origin = "registry:docker.io/library/ubuntu"'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "stacks" / "one"
    store.write(path, everything())
    return path


def refused(folder: Path) -> InputError:
    with pytest.raises(InputError) as caught:
        read_any(folder)
    assert caught.value.fix == "run `make lock STACK=one`"
    assert str(folder) in caught.value.where
    assert str(caught.value).isprintable() or "\n" in str(caught.value)
    return caught.value


def edited(folder: Path, before: str, after: str) -> InputError:
    path = folder / "stack.lock"
    assert before in path.read_text(), before
    path.write_text(path.read_text().replace(before, after, 1))
    return refused(folder)


GIT = "git+https://example.org/code@" + "a" * 40


@pytest.mark.parametrize(
    ("before", "after", "problem"),
    [
        ("epoch = 1700000000", f"epoch = {10**30}", "epoch: "),
        ("epoch = 1700000000", "epoch = -1", "epoch: "),
        ("epoch = 1700000000", "epoch = 1.5", "epoch: it is the number 1.5 where a whole number belongs"),
        ("epoch = 1700000000", "epoch = true", "epoch: it is true where a whole number belongs"),
        ("epoch = 1700000000", "epoch = nan", "epoch: it is the number nan where a whole number belongs"),
        ("epoch = 1700000000", "epoch = 1979-05-27", "epoch: it is a date where a whole number belongs"),
        ("epoch = 1700000000", "epoch = " + "9" * 5000, "it is not TOML: "),
        ("epoch = 1600000000", f"epoch = {10**30}", "base.epoch: "),
        ('stack = "one"', 'stack = "/abs"', "stack: '/abs' is not a name"),
        ('stack = "one"', 'stack = "../two"', "stack: '../two' is not a name"),
        ('stack = "one"', 'stack = "two"', "it is the lock of two, in the folder of one"),
        ('stack = "one"', 'stack = ["one"]', "stack: it is a list where text belongs"),
        ('python = "3.11"', 'python = "3.11\\nRUN id"', "python: '3.11\\nRUN id' is not a Python version"),
        ('platform = "x86_64', 'platform = "--target', "platform: '--target"),
        ('pylock = "', 'more = "x"\npylock = "', "more: there is no such key"),
        ('pylock = "', '"od\\nd" = "x"\npylock = "', "od?d: there is no such key"),
        ('kind = "bootstrap"', 'kind = "image"', "base: a bootstrap has a `distribution`"),
        ('distribution = "debian"', 'distribution = "debian\\nADD http://127.0.0.1/x /"', "base.distribution: 'debian"),
        ('reference = ""', 'reference = "x\\nRUN id"', "base.reference: 'x\\nRUN id' is not an image reference"),
        ('reference = ""', 'reference = "--all-tags"', "base.reference: '--all-tags' is not an image reference"),
        ('digest = ""', 'digest = "sha256:0"', "base.digest: 'sha256:0' is not the digest of an image"),
        (
            'include = ["python3",',
            'include = ["--hook=id",',
            "base.include[0]: '--hook=id' is not the name of a system",
        ),
        (
            f'origin = "{GIT}"',
            'origin = "git+https://example.org/code@--output=/tmp/x"',
            "sources[0].origin: '--output",
        ),
        (f'origin = "{GIT}"', 'origin = "https://example.org/x.tar"', "sources[0]: a source does not come from"),
        (f'origin = "{GIT}"', "origin = 3", "sources[0].origin: it is no text"),
        ('origin = "index:default"', 'origin = "built:' + SHA + '"', "tools[0]: a tool does not come from"),
        ('name = "uv"', 'name = "uw"', "`tools` is the one program uv"),
        ('name = "code"', 'name = "-code"', "sources[0].name: '-code' is not a name"),
        ('name = "code"', 'name = "c\u200dode"', "sources[0].name: 'c\\u200dode' is not a name"),
        ('name = "code"', 'name = "\u0441ode"', "sources[0].name: "),
        (', origin = "https://example', ', pending = true, origin = "https://example', "weights[0]: the sha256 of"),
        ('?x=1" }', '?x=1", seen = "https://x\\nRUN id" }', "weights[0].seen: "),
        ('own = { url = "https://example.org/simple/"', 'own = { url = "file:///etc"', "indexes.own.url: "),
        ('own = { url = "https://example.org/simple/"', 'own = { url = "https://u:p@h/"', "indexes.own.url: "),
        ('"beta" = "own"', '"beta" = "other"', "a package comes from the index other"),
        ('"beta" = "own"', '"gamma" = "own"', "the two lock files say different things"),
        ('"beta" = "own"', '"-r" = "own"', "routes.-r: '-r' is not the canonical name"),
        ("debs = [", "debs = [\n    3,", "debs[0]: it is the number 3 where a table belongs"),
        ("[base]", "[[base]]", "base: it is a list where a table belongs"),
        ("[base]", "[base]\nx = " + "[" * 5000 + "]" * 5000, "it is not TOML: it is nested too deep"),
        ("[base]", "[base]\nx = " + "{a=" * 5000 + "1" + "}" * 5000, "it is not TOML: it is nested too deep"),
        ("[base]", "[base]\n" + ".".join("a" * 3000) + " = 1", "it is not TOML: it is nested too deep"),
        ("[base]", "[" + ".".join("a" * 3000) + "]\n[base]", "it is not TOML: it is nested too deep"),
        ("[base]", "[base]\nkind = 3", "it is not TOML: "),
        (
            "[base]",
            f'base-blobs = [{{ name = "layer", version = "1", file = "{SHA}", {BLOB} }}]\n[base]',
            "an image has one",
        ),
        (
            "[base]",
            f'base-blobs = [{{ name = "manifest", version = "1", file = "{"1" * 64}", {BLOB} }}]\n[base]',
            "base-blobs[0]: the blob",
        ),
    ],
    ids=lambda value: re.sub(r"\W+", "-", str(value))[:40],
)
def test_a_value_that_cannot_be_is_told(folder: Path, before: str, after: str, problem: str) -> None:
    assert problem in edited(folder, before, after).problem


def image(folder: Path, reference: str, digest: str) -> Callable[[], StackLock]:
    """The lock with an image as its base."""
    path = folder / "stack.lock"
    text = re.sub(r"base-debs = \[\n.*\n\]", "base-debs = []", path.read_text())
    text = text.replace('kind = "bootstrap"', 'kind = "image"').replace('distribution = "debian"', 'distribution = ""')
    text = text.replace('reference = ""', f'reference = "{reference}"').replace('digest = ""', f'digest = "{digest}"')
    path.write_text(text)
    return lambda: read(folder)


@pytest.mark.parametrize(
    ("reference", "digest", "problem"),
    [
        ("ubuntu:22.04", "", "the image in `base` has no digest, and is not among what is unresolved"),
        ("ubuntu", f"sha256:{SHA}", "base: `reference` names another digest than `digest`: ubuntu"),
        (f"ubuntu@sha256:{'1' * 64}", f"sha256:{SHA}", "base: `reference` names another digest than `digest`"),
        ("--platform=x", f"sha256:{SHA}", "base.reference: '--platform=x' is not an image reference"),
    ],
)
def test_an_image_without_its_digest_is_refused(folder: Path, reference: str, digest: str, problem: str) -> None:
    image(folder, reference, digest)
    assert problem in refused(folder).problem


def test_an_image_with_its_digest_is_taken(folder: Path) -> None:
    lock = image(folder, f"ubuntu@sha256:{SHA}", f"sha256:{SHA}")()
    assert lock.base.reference == f"ubuntu@sha256:{SHA}"


def test_every_fault_is_told_with_its_line(folder: Path) -> None:
    path = folder / "stack.lock"
    path.write_text(path.read_text().replace("epoch = 1700000000", "epoch = -1").replace('name = "uv"', 'name = "U v"'))
    with pytest.raises(InputError) as caught:
        read(folder)
    first, second = str(caught.value).splitlines()
    assert first.startswith(f"{path}:5: epoch: Input should be")
    assert second.startswith(f"{path}:10: tools[0].name: 'U v' is not the canonical name of a Python package")


@pytest.mark.parametrize("name", ["stack.lock", "pylock.toml"])
@pytest.mark.parametrize("what", ["fifo", "device", "folder", "large", "socket", "binary"])
def test_a_lock_that_is_no_plain_file_is_refused_at_once(
    folder: Path, name: str, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = folder / name
    path.unlink()
    if what == "fifo":
        os.mkfifo(path)
    elif what == "device":
        path.symlink_to("/dev/zero")
    elif what == "folder":
        path.mkdir()
    elif what == "large":
        with path.open("wb") as stream:
            stream.truncate(1 << 33)
    elif what == "socket":
        import socket

        with socket.socket(socket.AF_UNIX) as one:
            monkeypatch.chdir(folder)
            one.bind(name)
    else:
        path.write_bytes(b"version = 1\n\xff\xfe\x00")
    done: list[InputError] = []
    thread = threading.Thread(target=lambda: done.append(refused(folder)), daemon=True)
    thread.start()
    thread.join(20)
    assert done
    assert done[0].problem.startswith("it is not TOML" if what == "binary" else "it cannot be read")


def test_a_link_to_a_plain_lock_is_read(folder: Path, tmp_path: Path) -> None:
    (folder / "stack.lock").rename(tmp_path / "elsewhere")
    (folder / "stack.lock").symlink_to(tmp_path / "elsewhere")
    assert read(folder).stack == "one"
    assert read_bounded(tmp_path / "elsewhere", 1 << 20)


def test_a_lock_with_the_line_ends_of_windows_is_read(folder: Path) -> None:
    before = read(folder)
    for name in ("stack.lock", "pylock.toml"):
        (folder / name).write_bytes((folder / name).read_bytes().replace(b"\n", b"\r\n"))
    assert read(folder) == before


@pytest.mark.parametrize(
    ("before", "after", "problem"),
    [
        ('lock-version = "1.0"', 'lock-version = "9.0"', "lock-version: '9.0' is not known"),
        ('requires-python = "==3.11.*"', 'requires-python = "==3.12.*"', "the two lock files say different things"),
        ('created-by = "modelstacks"', 'created-by = "x"', "created-by: 'x' is not known"),
        ('name = "alpha"', 'name = "Alpha"', "packages[0].name: 'Alpha' is not the canonical name"),
        ('name = "alpha"', 'name = "beta"', "the two lock files say different things"),
        ("../../wheels/alpha", "/etc/alpha", "packages[0].wheels[0]: alpha-1.0-py3-none-any.whl is at another path"),
        ('\nversion = "1.0"', '\nversion = "1.0\\n--index-url=x"', "packages[0].version: "),
        ('\nversion = "1.0"', '\nversion = "1.0"\nmarker = "x"', "packages[0].marker: there is no such key"),
        ("https://example.org/simple/", "https://evil.example/", "the two lock files say different things"),
        ("[[packages]]", "[packages]", "it is not TOML"),
        ("alpha-1.0-py3-none-any.whl", "other-1.0-py3-none-any.whl", "is at another path"),
        ('\nversion = "1.0"\n', '\nversion = "1.1"\n', "it is no pylock.toml"),
        ('version = "2.0+cu1"\n', 'version = "2 0"\n', "packages[1].version: '2 0' is not a name or version"),
    ],
)
def test_a_hostile_pylock_is_refused(folder: Path, before: str, after: str, problem: str) -> None:
    pylock, lock = folder / "pylock.toml", folder / "stack.lock"
    text = pylock.read_text()
    assert before in text
    pylock.write_text(text.replace(before, after, 1))
    lock.write_text(lock.read_text().replace(sha256_text(text), sha256_text(pylock.read_text())))
    assert problem in refused(folder).problem


SERVICE = f"""version = 1
kind = "service"
stack = "one"
inputs = "{SHA}"
reference = "ubuntu@sha256:{SHA}"
blobs = [
    {{ name = "manifest", version = "0", file = "{SHA}", {BLOB} }},
    {{ name = "config", version = "0", file = "{SHA}", {BLOB} }},
]
"""


@pytest.mark.parametrize(
    ("before", "after", "problem"),
    [
        (f"ubuntu@sha256:{SHA}", "ubuntu:22.04", "'ubuntu:22.04' is not an image by its digest"),
        ("ubuntu@", "-v/:/x@", "reference: '-v/:/x@"),
        ('name = "manifest"', 'name = "layer"', "an image has one manifest"),
        ('stack = "one"', 'stack = "/abs"', "stack: '/abs' is not a name"),
        ("version = 1\n", "version = true\n", "it is a lock of version True"),
        ("blobs = [", "blobs = []\nx = [", "x: there is no such key"),
    ],
)
def test_a_hostile_lock_of_a_service_is_refused(folder: Path, before: str, after: str, problem: str) -> None:
    path = folder / "stack.lock"
    path.write_text(SERVICE)
    assert read_any(folder).stack == "one"
    path.write_text(SERVICE.replace(before, after, 1))
    assert problem in "\n".join(str(one) for one in getattr(refused(folder), "errors", [refused(folder)]))


def shipped(name: str) -> tuple[StackLock, Callable[[StackLock], None]]:
    """A shipped lock, and what holds one to the shipped stack."""
    settings = site.load(environ={})
    stack, folder = load(name, settings), settings.home / "stacks" / name
    assert isinstance(stack, Stack)
    return read(folder), lambda lock: require_fresh(stack, lock, folder)


def test_a_lock_is_held_to_what_its_stack_asks_for() -> None:
    lock, hold = shipped("onnx-cpu")
    hold(lock)
    other = {
        "it is for Python 3.12": replace(lock, python="3.12"),
        "it has other indexes": replace(lock, indexes={"own": LockedIndex(url="https://h/", find_links=False)}),
        "its base is not the stack's own": replace(lock, base=replace(lock.base, include=("netcat",))),
        "it has 1 git sources, the stack 0": replace(lock, sources=everything().sources),
        "it has 1 weights, the stack bakes 0": replace(lock, weights=everything().weights),
    }
    for why, one in other.items():
        with pytest.raises(InputError, match="the lock of onnx-cpu is not of this stack") as caught:
            hold(one)
        assert why in caught.value.why


def test_a_weight_or_a_source_from_elsewhere_is_not_the_stacks() -> None:
    lock, hold = shipped("liveportrait")
    stack, blank = load("liveportrait", site.load(environ={})), everything().weights[0]
    assert isinstance(stack, Stack)
    sources = tuple(replace(blank, origin=Origin("git", one.git, one.commit)) for one in stack.sources)
    git = [one for one in stack.extensions if one.git]
    own = tuple(replace(blank, origin=Origin("git", str(one.git), str(one.commit))) for one in git)
    weights = tuple(replace(blank, origin=one.origin or blank.origin, sha256=one.sha256 or SHA) for one in stack.baked)
    lock = replace(lock, unresolved=(), sources=sources, extension_sources=own, weights=weights)
    hold(lock)
    evil = replace(weights[0], origin=Origin("https", "https://evil.example/x.pth"))
    other = replace(sources[0], origin=replace(sources[0].origin, revision="b" * 40))
    rotten = replace(weights[0], sha256="1" * 64)
    for one in (
        replace(lock, weights=(evil, *weights[1:])),
        replace(lock, weights=(rotten, *weights[1:])),
        replace(lock, sources=(other, *sources[1:])),
        replace(lock, extension_sources=(*own, other)),
        replace(lock, extension_sources=(other, *own[1:])),
    ):
        with pytest.raises(InputError, match="is not of this stack"):
            hold(one)
