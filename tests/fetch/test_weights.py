"""Weights whose hash nobody told, in archives, or on Hugging Face: locked, fetched, recorded or refused."""

from __future__ import annotations

import hashlib
import io
import json
import re
import stat
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from builder.errors import InputError, JobError, ModelstacksError
from builder.fetch import fetch
from builder.fetch.pending import settle
from builder.lock import inputs_digest, read, store, weights
from builder.net.session import Session
from builder.origin import Origin
from builder.spec.stacks import load_stack
from tests.lock.test_store import everything

FAMILY = {"summary": "test", "base": {"image": "debian:12", "glibc": "2.36"}, "python": "3.11"}
REVISION = "c" * 40
NET = b"\x80\x02 the bytes of a network" * 3000


def sha(data):
    return hashlib.sha256(data).hexdigest()


class Site:
    """A stack `one` with weights, and its lock."""

    def __init__(self, settings, ui, folder):
        self.settings, self.ui = replace(settings, stacks=(folder,)), ui
        self.folder = folder / "one"

    def lock(self, *entries):
        (self.folder.parent / "families").mkdir(parents=True, exist_ok=True)
        (self.folder.parent / "families" / "own.yaml").write_text(json.dumps(FAMILY))
        self.folder.mkdir(exist_ok=True)
        rows = [{"into": "/weights"} | entry for entry in entries]
        text = {"summary": "One", "family": "own", "weights": rows}
        (self.folder / "stack.yaml").write_text(json.dumps(text))
        self.stack = load_stack("one", self.settings)
        with Session(self.settings) as session:
            old = read(self.folder) if store.exists(self.folder) else None
            archives, files, _ = weights.locked(self.stack, session, old)
        base = replace(everything(), wheels=(), debs=(), sources=(), indexes={})
        base = replace(base, base=replace(base.base, debs=()), inputs=inputs_digest(self.stack))
        return store.write(self.folder, replace(base, archives=archives, weights=files))

    def settle(self, lock, **keys):
        return settle(lock, self.folder, self.settings, self.ui, **keys)

    def fetch(self, lock):
        files = [item for item in lock.artifacts() if item.kind != "tool"]  # uv, which every lock has
        return fetch(files, lock.indexes, self.settings, self.ui)

    def path(self, item):
        return self.settings.home / item.folder / item.filename


@pytest.fixture
def here(settings, ui, tmp_path):
    return Site(settings, ui, tmp_path / "stacks")


def test_the_first_fetch_records_a_pending_hash_and_frozen_refuses_it(here, site, capsys):
    site.files["net.pth"] = NET
    lock = here.lock({"url": f"{site.url}/files/net.pth"})
    assert [(item.sha256, item.size, item.pending) for item in lock.weights] == [("", len(NET), True)]
    assert "pending = true" in (here.folder / "stack.lock").read_text()
    with pytest.raises(InputError, match=r"the hash of .*net.pth is pending"):
        here.fetch(lock)
    with pytest.raises(InputError, match=r"the hash of net.pth is pending in the lock of one") as caught:
        here.settle(lock, frozen=True)
    assert "run `make fetch STACK=one` without FROZEN=1" in caught.value.fix
    assert site.gets() == {}

    settled = here.settle(lock)
    (item,) = settled.weights
    assert (item.sha256, item.filename) == (sha(NET), f"{sha(NET)[:16]}-net.pth")
    assert item.seen == f"{site.url}/files/net.pth"
    assert read(here.folder) == settled and settled.pending == ()
    assert f"net.pth: recorded sha256 {sha(NET)}" in capsys.readouterr().err
    assert here.path(item).read_bytes() == NET
    assert here.fetch(settled).kept == 1 and here.settle(settled, frozen=True) is settled
    assert here.lock({"url": f"{site.url}/files/net.pth"}).weights == (item,), "a new lock keeps what was recorded"

    here.path(item).unlink()
    site.files["net.pth"] = NET[:-1] + b"?"
    with pytest.raises(JobError, match="is not the locked file"):
        here.fetch(settled)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n", "a Git LFS pointer and not net.pth"),
        (b"\n <!DOCTYPE html><html><body>Sign in</body></html>", "a web page (to log in, perhaps) and not net.pth"),
        (b"<!-- gate --><html>" + b" " * 200_000, "a web page (to log in, perhaps) and not net.pth"),
    ],
    ids=["lfs", "page", "long-page"],
)
@pytest.mark.parametrize("known", [True, False], ids=["locked", "pending"])
def test_what_is_no_weight_at_all_is_named_and_never_recorded(here, site, data, said, known):
    site.files["net.pth"] = NET if known else data
    lock = here.lock({"url": f"{site.url}/files/net.pth"} | ({"sha256": sha(NET)} if known else {}))
    before = (here.folder / "stack.lock").read_bytes()
    site.files["net.pth"] = data
    with pytest.raises(JobError) as caught:
        here.fetch(here.settle(lock))
    assert caught.value.problem == f"the server sent {said}"
    assert caught.value.where == f"{site.url}/files/net.pth" and caught.value.fix
    assert (here.folder / "stack.lock").read_bytes() == before
    assert not [path for path in (here.settings.assets / "weights").iterdir() if path.is_file()]


def test_a_locked_file_that_begins_like_a_page_is_taken(here, site):
    site.files["net.pth"] = page = b"<html> as it should be"
    lock = here.lock({"url": f"{site.url}/files/net.pth", "sha256": sha(page)})
    assert here.fetch(lock).fetched == (lock.weights[0].filename,)


def test_a_name_that_tells_the_first_digits_of_its_hash_is_held_to_it(here, site):
    good = f"net-{sha(NET)[:8]}.pth"
    site.files |= {good: NET, "net-00000000.pth": NET, "net-20240101.pth": NET}
    assert here.settle(here.lock({"url": f"{site.url}/files/{good}"})).pending == ()
    lock = here.lock({"url": f"{site.url}/files/net-00000000.pth"})
    with pytest.raises(JobError, match="is not the file it should be") as caught:
        here.settle(lock)
    assert "its name says that it begins with 00000000" in caught.value.why
    assert read(here.folder).pending
    edited = replace(lock, weights=(replace(lock.weights[0], sha256=sha(NET)),))
    with pytest.raises(InputError, match="says that its sha256 begins with 00000000"):
        here.fetch(edited)
    assert here.settle(here.lock({"url": f"{site.url}/files/net-20240101.pth"})).pending == (), "a date is no hash"


def zipped(*entries, method=zipfile.ZIP_DEFLATED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for entry, data in entries:
            archive.writestr(entry, data)
    return out.getvalue()


@pytest.mark.parametrize("told", ["both", "archive", "member", "neither"])
def test_a_member_of_an_archive_is_taken_out_and_both_are_held_to_their_hash(here, site, told):
    site.files["all.zip"] = data = zipped(("../evil", b"x"), ("models/net.pth", NET))
    entry: dict[str, Any] = {"url": f"{site.url}/files/all.zip", "name": "own.pth"}
    entry["member"] = {"path": "models/net.pth"}
    if told in ("both", "archive"):
        entry["sha256"] = sha(data)
    if told in ("both", "member"):
        entry["member"]["sha256"] = sha(NET)
    lock = here.settle(here.lock(entry))
    ((archive,), (inner,)) = lock.archives, lock.weights
    assert (archive.sha256, archive.size) == (sha(data), len(data))
    assert (inner.sha256, inner.size, inner.project) == (sha(NET), len(NET), "net.pth")
    assert inner.origin == Origin.parse(f"member:{archive.filename}/models/net.pth")
    assert (bool(archive.seen), bool(inner.seen)) == (told in ("member", "neither"), told in ("archive", "neither"))
    for item in (archive, inner):
        here.path(item).unlink()
    assert len(here.fetch(lock).fetched) == 2
    assert here.path(inner).read_bytes() == NET
    assert not list(here.settings.home.rglob("evil"))
    wrong = replace(lock, weights=(replace(inner, sha256="0" * 64, filename="0-net.pth"),))
    with pytest.raises(JobError, match=r"models/net.pth in the archive is not the locked file"):
        here.fetch(wrong)


def _link():
    info = zipfile.ZipInfo("net.pth")
    info.create_system, info.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    return info


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    ("data", "said"),
    [
        (lambda: zipped(("other.pth", NET)), "lists net.pth nowhere"),
        (lambda: zipped(("net.pth", NET), ("net.pth", b"other")), "lists net.pth twice"),
        (lambda: zipped((_link(), b"/etc/passwd")), "is no plain file"),
        (lambda: zipped(("net.pth", bytes(101 << 20))), "is a zip bomb"),
        (lambda: zipped(("net.pth", NET), method=zipfile.ZIP_STORED).replace(NET[:20], NET[:19] + b"?"), "unpacked"),
        (lambda: b"PK no zip at all", "cannot be unpacked"),
        (
            # Flag bits of the local and of the central header: the file is encrypted.
            lambda: zipped(("net.pth", NET)).replace(b"PK\x03\x04\x14\0\0", b"PK\x03\x04\x14\0\1").replace(
                b"PK\x01\x02\x14\x03\x14\0\0", b"PK\x01\x02\x14\x03\x14\0\1"
            ),
            "is encrypted",
        ),
    ],
    ids=["absent", "twice", "link", "bomb", "damaged", "no-zip", "encrypted"],
)  # fmt: skip
def test_a_hostile_archive_is_refused_and_leaves_nothing(here, site, data, said):
    site.files["all.zip"] = made = data()
    lock = here.lock({"url": f"{site.url}/files/all.zip", "sha256": sha(made), "member": {"path": "net.pth"}})
    with pytest.raises(JobError, match=said):
        here.settle(lock)
    left = [path for path in (here.settings.assets / "weights").rglob("*") if path.is_file()]
    assert [path.suffix for path in left] == [".lock"]


def test_a_hugging_face_file_comes_from_the_sites_endpoint_and_the_lock_names_none(here, site, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", f"{site.url}/files/")
    site.files[f"A/b/resolve/{REVISION}/models/net.pth"] = NET
    entry = {"huggingface": "A/b", "revision": REVISION, "path": "models/net.pth"}
    lock = here.lock(entry | {"sha256": sha(NET)})
    assert lock.weights[0].origin == Origin.parse(f"hf:A/b@{REVISION}/models/net.pth")
    assert site.url not in (here.folder / "stack.lock").read_text()
    assert here.fetch(lock).fetched == (f"{sha(NET)[:16]}-net.pth",)
    monkeypatch.setenv("HF_ENDPOINT", "http://mirror.example")
    here.path(lock.weights[0]).unlink()
    with pytest.raises(InputError, match="HF_ENDPOINT is not an https address"):
        fetch(lock.weights, {}, replace(here.settings, home=here.settings.home / "other"), here.ui)


def test_a_mounted_weight_is_neither_locked_nor_fetched(here, site):
    lock = here.lock({"name": "01_MorphableModel.mat", "bake": False, "licence": "no redistribution"})
    assert lock.weights == lock.archives == ()
    before = inputs_digest(here.stack)
    here.lock()
    assert inputs_digest(here.stack) == before, "it asks for no file"


def test_a_lock_may_not_call_a_wheel_pending(here, site):
    site.files["net.pth"] = NET
    here.lock({"url": f"{site.url}/files/net.pth"})
    path: Path = here.folder / "stack.lock"
    text = path.read_text()
    row = next(line for line in text.splitlines() if 'name = "uv"' in line)
    path.write_text(text.replace(row, re.sub('sha256 = "[0-9a-f]+"', 'sha256 = "", pending = true', row)))
    with pytest.raises(ModelstacksError, match="is neither given nor pending"):
        read(here.folder)
