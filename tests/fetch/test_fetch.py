"""Fetching from a real TLS server: what comes is what is locked, or nothing."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from builder.errors import InputError, JobError, SurroundingsError
from builder.fetch import fetch
from builder.lock.model import LockedIndex
from builder.origin import Origin


@pytest.mark.parametrize("as_json", [False, True], ids=["html-without-type", "json"])
def test_files_come_from_the_default_index(site, settings, ui, wheel, as_json):
    site.as_json = as_json
    wanted = [wheel("one"), wheel("two", 5), wheel("empty", 0)]
    done = fetch(wanted, {}, settings, ui)
    assert sorted(done.fetched) == sorted(item.filename for item in wanted)
    assert (done.bytes, done.kept, done.set_aside) == (300_005, 0, ())
    for item in wanted:
        assert (settings.wheels / item.filename).read_bytes() == site.files[item.filename]
    assert [path for _, path, _, _ in site.log].count("/simple/demo/") == 1, "one page per project"


def test_named_indexes_pages_of_links_and_plain_addresses(site, settings, ui, wheel):
    settings = replace(settings, index="https://localhost:1/simple")
    page = LockedIndex(url=f"{site.url}/simple/demo/", find_links=True)
    index = LockedIndex(url=f"{site.url}/simple", find_links=False)
    weight = replace(
        wheel("weight"), kind="weight", origin=Origin.parse(f"{site.url}/files/weight-1.0-py3-none-any.whl")
    )
    linked, named = (
        replace(wheel("linked"), origin=Origin.parse("index:page")),
        replace(wheel("named"), origin=Origin.parse("index:named")),
    )
    done = fetch([linked, named, weight], {"page": page, "named": index}, settings, ui)
    assert len(done.fetched) == 3
    assert (settings.assets / "weights" / weight.filename).exists()


def test_debs_come_from_the_mirror_of_the_settings(site, settings, ui, wheel):
    settings = replace(settings, mirrors={"debian": f"{site.url}/files"})
    site.files["pool/a b+c_1.0~1_amd64.deb"] = data = site.files[wheel("x").filename]
    deb = replace(wheel("x"), kind="deb", filename="a_1.0~1_amd64.deb")
    site.files["pool/a+c_1.0~1_amd64.deb"] = data
    fetch([replace(deb, origin=Origin.parse("archive:debian/pool/a+c_1.0~1_amd64.deb"))], {}, settings, ui)
    assert (settings.assets / "debs" / deb.filename).read_bytes() == data


def test_without_its_ca_the_server_is_refused_with_the_remedy(settings, ui, wheel):
    with pytest.raises(SurroundingsError, match="not trusted") as caught:
        fetch([wheel()], {}, replace(settings, ca_bundle=()), ui)
    assert "CA_BUNDLE" in caught.value.fix
    assert not list(settings.wheels.glob("*.whl"))
    fetch([wheel()], {}, settings, ui)


def test_a_second_run_needs_neither_server_nor_hashes(site, settings, ui, wheel):
    wanted = [wheel("one"), wheel("two")]
    fetch(wanted, {}, settings, ui)
    requests = len(site.log)
    for item in wanted:  # bytes changed behind an unchanged size and time are seen only by hashing
        _flip(settings.wheels / item.filename, keep_time=True)
    done = fetch(wanted, {}, replace(settings, index="https://localhost:1/simple"), ui)
    assert (done.kept, done.fetched, len(site.log)) == (2, (), requests)


@pytest.mark.parametrize("keep_time", [True, False])
def test_a_flipped_byte_is_found_set_aside_and_mended(site, settings, ui, wheel, capsys, keep_time):
    wanted, other = wheel(), wheel("other")
    fetch([wanted, other], {}, settings, ui)
    path = settings.wheels / wanted.filename
    rotten = _flip(path, keep_time=keep_time)
    done = fetch([wanted, other], {}, settings, ui, verify=keep_time)
    assert (done.fetched, done.kept) == ((wanted.filename,), 1)
    assert done.set_aside == (f"wheels/.set-aside/{wanted.filename}.1",)
    assert (settings.home / done.set_aside[0]).read_bytes() == rotten
    assert path.read_bytes() == site.files[wanted.filename]
    assert "wrong bytes" in capsys.readouterr().err


def test_files_put_there_by_hand_are_hashed_once_and_kept(site, settings, ui, wheel):
    wanted = wheel()
    settings.wheels.mkdir(parents=True)
    (settings.wheels / wanted.filename).write_bytes(site.files[wanted.filename])
    done = fetch([wanted], {}, settings, ui)
    assert (done.kept, site.log) == (1, [])


def test_a_cut_download_goes_on_where_it_stopped(site, settings, ui, wheel):
    wanted = wheel()
    site.faults[wanted.filename] = "once-cut"
    fetch([wanted], {}, settings, ui)
    ranges = [asked for _, path, asked, _ in site.log if "/files/" in path]
    assert ranges == ["", "bytes=150000-"]
    assert site.sent(wanted.filename) == wanted.size


def test_a_partial_file_is_not_trusted_where_ranges_are_ignored(site, settings, ui, wheel):
    wanted = wheel()
    site.faults[wanted.filename] = "no-range"
    part = settings.wheels / ".partial" / f"{wanted.sha256}.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(site.files[wanted.filename][:1000])
    fetch([wanted], {}, settings, ui)
    assert site.sent(wanted.filename) == wanted.size


def test_a_partial_file_with_wrong_bytes_is_started_again(site, settings, ui, wheel):
    wanted = wheel()
    part = settings.wheels / ".partial" / f"{wanted.sha256}.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"x" * 1000)
    fetch([wanted], {}, settings, ui)
    assert (settings.wheels / wanted.filename).read_bytes() == site.files[wanted.filename]


def test_a_busy_server_is_waited_for(site, settings, ui, wheel):
    wanted = wheel()
    site.faults[wanted.filename] = "once-busy"
    assert fetch([wanted], {}, settings, ui).seconds >= 1, "Retry-After said one second"
    assert site.gets()[f"/files/{wanted.filename}"] == 2


@pytest.mark.parametrize(
    ("fault", "says", "gets"),
    [("wrong", "seen ", 2), ("longer", "the server has 300004", 2), ("truncated", "ends at 299900 of 300000", None)],
)
def test_other_bytes_are_refused_and_named(site, settings, ui, wheel, fault, says, gets):
    wanted = wheel()
    site.faults[wanted.filename] = fault
    with pytest.raises(JobError) as caught:
        fetch([wanted], {}, settings, ui)
    assert says in str(caught.value)
    assert f"{site.url}/files/{wanted.filename}" in caught.value.where
    assert fault == "truncated" or wanted.sha256 in caught.value.why
    assert gets is None or site.gets()[f"/files/{wanted.filename}"] == gets
    assert not (settings.wheels / wanted.filename).exists()


def test_wrong_bytes_once_are_mended_by_a_second_try(site, settings, ui, wheel):
    wanted = wheel()
    site.faults[wanted.filename] = "once-wrong"
    fetch([wanted], {}, settings, ui)
    assert site.gets()[f"/files/{wanted.filename}"] == 2


def test_an_index_that_names_another_hash_is_refused_unread(site, settings, ui, wheel):
    wanted = wheel()
    site.index_hash[wanted.filename] = "0" * 64
    with pytest.raises(JobError, match="serves other bytes under the name") as caught:
        fetch([wanted], {}, settings, ui)
    assert wanted.sha256 in caught.value.why
    assert "0" * 64 in caught.value.why
    assert not site.gets()


def test_a_file_that_left_the_index_is_named(settings, ui, wheel, site):
    wanted = wheel()
    site.files.clear()
    with pytest.raises(JobError, match=r"demo-1\.0-py3-none-any\.whl is not on the index") as caught:
        fetch([wanted], {}, settings, ui)
    assert "make lock" in caught.value.fix


def test_a_redirect_to_plain_http_is_refused(site, settings, ui, wheel):
    wanted = wheel()
    site.faults[wanted.filename] = "redirect-http"
    with pytest.raises(JobError, match="redirects from https to an address without TLS"):
        fetch([wanted], {}, settings, ui)


@pytest.mark.parametrize("name", ["../evil.whl", "/evil.whl", ".hidden", "a/b.whl", "a\nb.whl", "a\\b.whl", ""])
def test_a_file_name_that_leaves_the_folder_is_refused(site, settings, ui, wheel, name):
    with pytest.raises(InputError, match="not a plain file name"):
        fetch([replace(wheel(), filename=name)], {}, settings, ui)
    assert not site.log
    assert not settings.home.exists()


def test_one_name_for_two_contents_is_refused(settings, ui, wheel):
    wanted = wheel()
    with pytest.raises(InputError, match="twice"):
        fetch([wanted, replace(wanted, sha256="0" * 64)], {}, settings, ui)


def _flip(path, *, keep_time):
    before = path.stat()
    data = bytearray(path.read_bytes())
    data[1000] ^= 1
    path.write_bytes(data)
    shift = 0 if keep_time else 1_000_000
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + shift))
    return bytes(data)
