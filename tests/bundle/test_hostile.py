"""Bundles that were damaged or made to do harm: each is refused by name, and nothing is written."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from builder.bundle import import_
from builder.bundle.archive import BLOCK, END, header, padding
from builder.bundle.content import Item, distinct, stack_items, text_item
from builder.bundle.manifest import Manifest
from builder.errors import InputError
from builder.spec import load
from builder.ui import Ui
from tests.bundle.conftest import Site

ALPHA = "wheels/alpha-1-py3-none-any.whl"
BETA = "wheels/beta-1-py3-none-any.whl"


class Bundle:
    """A bundle in pieces, to be put together wrongly. rows: [header, data] per member, in order."""

    def __init__(self, items: dict[str, Item]) -> None:
        self.manifest = Manifest(stacks=("mini",), members=tuple(items[name].member for name in sorted(items)))
        self.rows: list[list[bytes]] = []
        for name in sorted(items):
            with items[name].open() as stream:
                data = stream.read()
            self.rows.append([header(name, len(data)), data])
        self.end = END
        self.text: bytes | None = None

    def row(self, name: str) -> list[bytes]:
        return self.rows[[item.name for item in self.manifest.members].index(name)]

    def document(self, change: Callable[[Any], object]) -> None:
        """Change the manifest's JSON."""
        value = json.loads(self.manifest.text())
        change(value)
        self.text = json.dumps(value).encode()

    def retype(self, name: str, /, **values: Any) -> None:
        """Give a member another header."""
        info = tarfile.TarInfo.frombuf(self.row(name)[0], "utf-8", "strict")
        for key, value in values.items():
            setattr(info, key, value)
        self.row(name)[0] = info.tobuf(tarfile.GNU_FORMAT, "utf-8", "strict")

    def bytes(self) -> bytes:
        text = self.manifest.text().encode() if self.text is None else self.text
        rows = [[header("bundle.json", len(text)), text], *self.rows]
        return b"".join(head + data + bytes(padding(len(data))) for head, data in rows) + self.end


def member(bundle: Bundle, name: str, data: bytes = b"evil", **values: Any) -> None:
    """Add a whole member, named by the manifest, wherever its name leads."""
    made = replace(text_item(name, data).member, **values)
    bundle.manifest = replace(bundle.manifest, members=(*bundle.manifest.members, made))
    bundle.rows.append([header(name, len(data)), data])


def drop(bundle: Bundle, name: str) -> None:
    bundle.rows.remove(bundle.row(name))
    bundle.manifest = replace(
        bundle.manifest, members=tuple(item for item in bundle.manifest.members if item.name != name)
    )


def rename(name: str) -> Callable[[Bundle], None]:
    """The stack of the bundle under another name, in all its files' names too."""

    def change(bundle: Bundle) -> None:
        members = []
        for item, row in zip(bundle.manifest.members, bundle.rows, strict=True):
            moved = item.name.replace("stacks/mini/", f"stacks/{name}/")
            if moved.endswith("/stack.lock"):
                row[1] = row[1].replace(b'stack = "mini"', f'stack = "{name}"'.encode())
            made = text_item(moved, row[1]).member if moved != item.name else item
            row[0] = header(moved, len(row[1]))
            members.append(made)
        bundle.manifest = replace(bundle.manifest, members=tuple(members), stacks=(name,))

    return change


def rewrite(name: str, data: bytes) -> Callable[[Bundle], None]:
    """Another content of a file, which the manifest tells."""

    def change(bundle: Bundle) -> None:
        row = bundle.row(name)
        row[:] = [header(name, len(data)), data]
        made = tuple(text_item(name, data).member if one.name == name else one for one in bundle.manifest.members)
        bundle.manifest = replace(bundle.manifest, members=made)

    return change


def flip(bundle: Bundle) -> None:
    row = bundle.row(ALPHA)
    row[1] = row[1][:100] + bytes([row[1][100] ^ 1]) + row[1][101:]


def pax(bundle: Bundle, **records: str) -> None:
    """Put a PAX header in front of a member that overrides what its own header says."""
    info = tarfile.TarInfo.frombuf(bundle.row(ALPHA)[0], "utf-8", "strict")
    info.pax_headers = records
    bundle.row(ALPHA)[0] = info.tobuf(tarfile.PAX_FORMAT, "utf-8", "strict")


def raw(name: str, kind: bytes, data: bytes) -> bytes:
    info = tarfile.TarInfo(name)
    info.type, info.size = kind, len(data)
    return info.tobuf(tarfile.GNU_FORMAT, "utf-8", "strict") + data + bytes(padding(len(data)))


def prefix(bundle: Bundle, before: bytes) -> None:
    bundle.row(ALPHA)[0] = before + bundle.row(ALPHA)[0]


def twin(bundle: Bundle) -> None:
    bundle.rows.append(list(bundle.row(ALPHA)))


def named_twice(bundle: Bundle) -> None:
    twin(bundle)
    bundle.manifest = replace(bundle.manifest, members=(*bundle.manifest.members, bundle.manifest.members[-1]))


def file_and_folder(bundle: Bundle) -> None:
    member(bundle, "simple/x")
    member(bundle, "simple/x/y")


def end(data: bytes) -> Callable[[Bundle], None]:
    def change(bundle: Bundle) -> None:
        bundle.end = data

    return change


def text(data: bytes) -> Callable[[Bundle], None]:
    def change(bundle: Bundle) -> None:
        bundle.text = data

    return change


def pad(bundle: Bundle) -> None:
    row = bundle.row(ALPHA)
    assert padding(len(row[1])) > 4
    row[1] += b"evil"


def evil(name: str, **values: Any) -> Callable[[Bundle], None]:
    return lambda bundle: member(bundle, name, **values)


def edited(change: Callable[[Any], object]) -> Callable[[Bundle], None]:
    return lambda bundle: bundle.document(change)


def link(kind: bytes) -> Callable[[Bundle], None]:
    return lambda bundle: bundle.retype(ALPHA, type=kind, linkname="/etc/passwd", size=0)


CASES: dict[str, tuple[Callable[[Bundle], object], str]] = {
    "a flipped bit": (flip, f"{ALPHA} is damaged"),
    "a symbolic link": (link(tarfile.SYMTYPE), f"a symbolic link '{ALPHA}' .* where {ALPHA} belongs"),
    "a hard link": (link(tarfile.LNKTYPE), f"a hard link '{ALPHA}'"),
    "a character device": (link(tarfile.CHRTYPE), f"a character device '{ALPHA}'"),
    "a block device": (link(tarfile.BLKTYPE), f"a block device '{ALPHA}'"),
    "a fifo": (link(tarfile.FIFOTYPE), f"a fifo '{ALPHA}'"),
    "a folder": (link(tarfile.DIRTYPE), f"a folder '{ALPHA}/?'"),
    "an unknown kind": (link(b"Z"), f"'{ALPHA}'"),
    "a name that leads out": (lambda b: b.retype(ALPHA, name="wheels/../../evil"), "a file 'wheels/../../evil' "),
    "an absolute name": (lambda b: b.retype(ALPHA, name="/evil"), "a file '/evil'"),
    "a set-uid mode": (lambda b: b.retype(ALPHA, mode=0o4755), f"where {ALPHA} belongs"),
    "another owner": (lambda b: b.retype(ALPHA, uid=1000), f"where {ALPHA} belongs"),
    "more bytes than the manifest says": (lambda b: b.retype(ALPHA, size=1 << 40), f"of {1 << 40} bytes where {ALPHA}"),
    "a negative size": (lambda b: b.retype(ALPHA, size=-1), f"where {ALPHA} belongs"),
    "a PAX header with another path": (lambda b: pax(b, path="../../evil"), "a PAX header"),
    "a PAX header with another size": (lambda b: pax(b, size="99999999999"), "a PAX header"),
    "a global PAX header": (
        lambda b: prefix(b, tarfile.TarInfo.create_pax_global_header({"path": "/evil"})),
        "a global PAX header",
    ),
    "a GNU long name": (
        lambda b: prefix(b, raw("././@LongLink", tarfile.GNUTYPE_LONGNAME, b"../evil\0")),
        "a long name '././@LongLink'",
    ),
    "a sparse file": (lambda b: b.retype(ALPHA, type=tarfile.GNUTYPE_SPARSE), "a sparse file"),
    "a wrong checksum of a header": (
        lambda b: b.row(ALPHA).__setitem__(0, b"x" + b.row(ALPHA)[0][1:]),
        f"no tar header where {ALPHA} belongs",
    ),
    "bytes in the padding": (pad, f"behind the end of {ALPHA}"),
    "a member twice": (twin, f"a file '{ALPHA}' of .*, which bundle.json does not name"),
    "a member that the manifest names twice": (named_twice, "twice"),
    "a member that the manifest does not name": (
        lambda b: b.rows.append([header("wheels/evil.whl", 4), b"evil"]),
        "a file 'wheels/evil.whl' of 4 bytes, which bundle.json does not name",
    ),
    "a member that is missing": (lambda b: b.rows.pop(), "wheels/uv-1-py3-none-any.whl is missing"),
    "members in another order": (lambda b: b.rows.reverse(), "the bundle holds a file"),
    "bytes behind the end": (end(END + b"evil"), "goes on after its end mark"),
    "no end mark": (end(b""), "ends before its end mark"),
    "half an end mark": (end(bytes(BLOCK)), "ends before its end mark"),
    "a manifest name that leads out": (evil("wheels/../../evil"), "'wheels/../../evil': it leads out"),
    "an absolute manifest name": (evil("/tmp/evil"), "'/tmp/evil': it is an absolute path"),
    "a dot in a manifest name": (evil("wheels/./evil"), "do not end with a dot"),
    "a backslash": (evil("wheels/..\\evil"), "plain ASCII"),
    "a newline": (evil("wheels/a\nb"), "plain ASCII"),
    "names that differ by case": (evil(ALPHA.replace("alpha", "Alpha")), "differ only by case"),
    "names that differ by normalisation": (evil("wheels/e\u0301.whl"), "plain ASCII"),
    "a dot at the end": (evil(f"{ALPHA}."), "do not end with a dot"),
    "a hidden file": (evil("wheels/.verified"), "nothing of a bundle belongs there"),
    "a place of no bundle": (evil("build/x"), "nothing of a bundle belongs there"),
    "a strange stack file": (evil("stacks/mini/conftest.py"), "nothing of a bundle belongs there"),
    "a file that is a folder too": (file_and_folder, "as a file and as a folder"),
    "a program for the host": (evil("assets/tools/uv-1/uv"), "assets/tools/uv-1/uv, which no lock in it names"),
    "a ready base image": (evil(f"assets/bases/{'a' * 64}.tar"), "which no lock in it names"),
    "a file that only the lock names": (lambda b: drop(b, BETA), f"lacks {BETA}"),
    "a stack it does not speak of": (evil("stacks/other/stack.yaml"), "stacks/other, but does not say so"),
    "a negative size in the manifest": (edited(lambda v: v["members"][0].update(size=-1)), "a size that cannot be"),
    "a huge size in the manifest": (edited(lambda v: v["members"][0].update(size=10**30)), "a size that cannot be"),
    "a size that is no number": (edited(lambda v: v["members"][0].update(size=True)), "a size that cannot be"),
    "a sha256 that is none": (edited(lambda v: v["members"][0].update(sha256="0")), "a sha256 that is none"),
    "a name that is no text": (edited(lambda v: v["members"][0].update(name=7)), "it is not text"),
    "an unknown format": (edited(lambda v: v.update(format=2)), "of format 2, this program reads 1"),
    "an unknown key": (edited(lambda v: v.update(run="evil")), "other keys"),
    "members that are no list": (edited(lambda v: v.update(members={"a": 1})), "no list of members"),
    "a stack in capitals": (rename("UPPER"), "the bundle names a stack 'UPPER'"),
    "a stack with a comma": (rename("a,b"), "the bundle names a stack 'a,b'"),
    "a stack of 65 letters": (rename("a" * 65), f"the bundle names a stack '{'a' * 65}'"),
    "a stack that begins with a dot": (rename(".a"), "the bundle names a stack '.a'"),
    "a stack that begins with a hyphen": (rename("-a"), "the bundle names a stack '-a'"),
    "a stack called families": (rename("families"), "the bundle names a stack 'families'"),
    "a stack without stack.yaml": (lambda b: drop(b, "stacks/mini/stack.yaml"), "the bundle's stack mini is none"),
    "a stack without its family": (lambda b: drop(b, "stacks/families/plain.yaml"), "the bundle's stack mini is none"),
    "a stack.yaml that is not YAML": (rewrite("stacks/mini/stack.yaml", b"\t: ["), "the bundle's stack mini is none"),
    "a stack.yaml of another kind": (rewrite("stacks/mini/stack.yaml", b"[1]"), "the bundle's stack mini is none"),
    "an empty stack.yaml": (rewrite("stacks/mini/stack.yaml", b""), "mini/stack.yaml:1: the file is empty"),
    "a stack.yaml with an unknown key": (
        rewrite("stacks/mini/stack.yaml", b"summary: x\nfamily: plain\nevil: run\n"), "there is no such key"
    ),
    "a family that cannot be": (rewrite("stacks/families/plain.yaml", b"evil: 1"), "the bundle's stack mini is none"),
    "a lock of another stack": (
        rewrite("stacks/mini/stack.lock", b"version = 1\nkind = 'service'\nstack = '/abs'\n"), "is not a name"
    ),
    "a lock that is not TOML": (rewrite("stacks/mini/stack.lock", b"= ["), "it is not TOML"),
    "a manifest that is not UTF-8": (text(b'{"format": "\xff"}'), "not the JSON it should be"),
    "a manifest that is not JSON": (text(b"evil"), "not the JSON it should be"),
    "a manifest with a key twice": (text(b'{"format": 1, "format": 2}'), "a key is there twice"),
    "a manifest nested without end": (text(b"[" * 1_000_000), "not the JSON it should be"),
    "a manifest with an endless number": (text(b'{"format": ' + b"9" * 100_000 + b"}"), "not the JSON it should be"),
}  # fmt: skip


@pytest.fixture
def whole(here: Site) -> Bundle:
    items, _ = stack_items(load("mini", here.settings), here.settings)
    return Bundle(distinct(items))


def refused(data: bytes, there: Site, match: str) -> None:
    """Import these bytes; they are refused, and the site is as it was."""
    path = there.root.parent / "x.bundle.tar"
    path.write_bytes(data)
    before = there.tree()
    with pytest.raises(InputError, match=match) as caught:
        import_(path, there.settings, Ui())
    assert caught.value.where
    assert there.tree() == before
    assert not list(Path("/").glob("evil*"))
    assert {item.name for item in there.root.parent.iterdir()} == {"here", "there", "x.bundle.tar"}


def test_the_bundle_that_all_cases_start_from_is_good(whole: Bundle, there: Site) -> None:
    path = there.root.parent / "x.bundle.tar"
    path.write_bytes(whole.bytes())
    assert set(import_(path, there.settings, Ui()).placed) == {item.name for item in whole.manifest.members}


@pytest.mark.parametrize("name", ["mini2", "a" * 64, "a.b-c", "0"])
def test_a_stack_of_another_proper_name_is_taken(name: str, whole: Bundle, there: Site) -> None:
    rename(name)(whole)
    path = there.root.parent / "x.bundle.tar"
    path.write_bytes(whole.bytes())
    assert import_(path, there.settings, Ui()).stacks == (name,)
    assert load(name, there.settings).name == name


@pytest.mark.parametrize("case", CASES)
def test_it_is_refused_by_name_and_nothing_is_written(case: str, whole: Bundle, there: Site) -> None:
    change, match = CASES[case]
    change(whole)
    refused(whole.bytes(), there, match)


def test_cut_at_every_place_it_is_refused(whole: Bundle, there: Site) -> None:
    data = whole.bytes()
    for tenth in range(1, 40):
        refused(data[: len(data) * tenth // 40], there, "ends|not a bundle")


@pytest.mark.parametrize("data", [b"", b"\0" * 4096, b"PK\3\4" + b"x" * 4096, b"#!/bin/sh\n"], ids=range(4))
def test_what_is_no_archive_is_refused(data: bytes, here: Site, there: Site) -> None:
    refused(data, there, "this is not a bundle")


def test_a_compressed_archive_is_refused(whole: Bundle, there: Site) -> None:
    refused(gzip.compress(whole.bytes()), there, "this is not a bundle")


def test_a_manifest_that_does_not_come_first_is_refused(whole: Bundle, there: Site) -> None:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("wheels/evil.whl"))
    refused(data.getvalue() + whole.bytes(), there, "does not begin with bundle.json")


def test_a_manifest_of_a_terabyte_is_refused_before_it_is_read(here: Site, there: Site) -> None:
    info = tarfile.TarInfo("bundle.json")
    info.size = 1 << 40
    tracemalloc.start()
    refused(info.tobuf(tarfile.GNU_FORMAT, "utf-8", "strict") + bytes(1 << 20), there, "1099511627776 bytes")
    assert tracemalloc.get_traced_memory()[1] < 64 << 20
    tracemalloc.stop()


@pytest.mark.parametrize("name", [ALPHA, "stacks/mini/stack.yaml", "stacks/families/plain.yaml"])
def test_a_file_that_is_there_with_other_content_stays(name: str, whole: Bundle, there: Site) -> None:
    folder, _, inner = name.partition("/")
    path = (there.home / "wheels" if folder == "wheels" else there.stacks) / inner
    path.parent.mkdir(exist_ok=True)
    path.write_text("summary: mine\n")
    refused(whole.bytes(), there, f"{name} is there with other content")
    assert path.read_text() == "summary: mine\n"


def test_a_link_that_is_there_is_not_followed(whole: Bundle, there: Site) -> None:
    target = there.root / "precious"
    target.write_text("mine")
    (there.home / ALPHA).symlink_to(target)
    refused(whole.bytes(), there, f"{ALPHA} is there with other content")
    assert target.read_text() == "mine"


def test_a_member_beyond_the_earlier_bundle_needs_it(whole: Bundle, there: Site) -> None:
    gone = next(item for item in whole.manifest.members if item.name == BETA)
    drop(whole, BETA)
    whole.manifest = replace(whole.manifest, earlier=(gone,), base="a" * 64)
    refused(whole.bytes(), there, f"{BETA} is not in this bundle, and the earlier one")
    (there.home / BETA).write_bytes(bytes(gone.size))
    refused(whole.bytes(), there, f"{BETA} is not in this bundle, and the earlier one")
