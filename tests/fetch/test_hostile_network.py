"""What networks do to a download: busy, cut, stalled, lying or unverified servers, and mirrors that differ."""

from __future__ import annotations

from dataclasses import replace

import pytest

from builder.errors import JobError, SurroundingsError
from builder.fetch import fetch
from builder.lock import Artifact
from builder.origin import Origin
from builder.settings import Settings

FAR = "https://files.example"  # stands for the address in a lock; a mirror serves it


@pytest.fixture
def weight(wheel, site):
    """A file of a plain address, and the settings' word for where it really comes from."""

    def make(name: str = "weight"):
        made = wheel(name)
        return replace(made, kind="weight", origin=Origin.parse(f"{FAR}/{made.filename}"))

    return make


def _brought(settings: Settings, wanted: Artifact) -> bytes:
    return (settings.home / wanted.folder / wanted.filename).read_bytes()


def test_a_plain_address_is_trusted_through_the_ca_bundle_only(site, settings, ui, weight):
    wanted = weight()
    settings = replace(settings, rewrites={FAR: (f"{site.url}/files",)})
    with pytest.raises(SurroundingsError, match="the certificate of localhost is not trusted") as caught:
        fetch([wanted], {}, replace(settings, ca_bundle=()), ui)
    assert "OU=Testing CA" in caught.value.why
    fetch([wanted], {}, settings, ui)
    assert _brought(settings, wanted) == site.files[wanted.filename]


def test_a_file_that_a_mirror_lacks_comes_from_the_next(site, settings, ui, weight, capsys):
    wanted = weight()
    settings = replace(settings, rewrites={FAR: (f"{site.url}/absent", f"{site.url}/files")})
    fetch([wanted], {}, settings, ui)
    assert _brought(settings, wanted) == site.files[wanted.filename]
    assert "404" in capsys.readouterr().err


def test_a_mirror_with_other_bytes_is_refused_by_its_own_name(site, settings, ui, weight):
    wanted = weight()
    site.faults[wanted.filename] = "wrong"
    settings = replace(settings, rewrites={FAR: (f"{site.url}/files",)})
    with pytest.raises(JobError, match="is not the locked file") as caught:
        fetch([wanted], {}, settings, ui)
    assert caught.value.where == f"{site.url}/files/{wanted.filename}"


def test_a_mirror_of_the_default_index_serves_in_its_place(site, settings, ui, wheel):
    wanted = wheel()
    settings = replace(settings, index=f"{FAR}/simple", rewrites={f"{FAR}/simple": (f"{site.url}/simple",)})
    fetch([wanted], {}, settings, ui)
    assert _brought(settings, wanted) == site.files[wanted.filename]


def test_an_index_without_hashes_serves_what_is_locked(site, settings, ui, wheel):
    good, bad = wheel("good"), wheel("bad")
    site.index_hash |= {good.filename: "", bad.filename: ""}
    site.faults[bad.filename] = "wrong"
    fetch([good], {}, settings, ui)
    with pytest.raises(JobError, match="is not the locked file"):
        fetch([bad], {}, settings, ui)


def test_a_server_that_is_asked_too_much_is_waited_for(site, settings, ui, wheel):
    wanted = wheel()
    site.faults[wanted.filename] = "once-many"
    assert fetch([wanted], {}, settings, ui).seconds >= 1, "Retry-After said one second"
    assert site.gets()[f"/files/{wanted.filename}"] == 2


def test_a_connection_cut_at_every_tenth_is_resumed_each_time(site, settings, ui, wheel):
    wanted = wheel()
    site.faults[wanted.filename] = "tenths"
    fetch([wanted], {}, settings, ui)
    ranges = [asked for _, path, asked, _ in site.log if "/files/" in path]
    assert ranges == ["", *(f"bytes={tenth * 30000}-" for tenth in range(1, 10))]
    assert site.sent(wanted.filename) == wanted.size, "no byte came twice"


def test_a_length_that_says_too_much_is_refused_and_one_that_says_too_little_made_good(site, settings, ui, wheel):
    over, under = wheel("over"), wheel("under")
    site.faults |= {over.filename: "overstated", under.filename: "once-understated"}
    with pytest.raises(JobError, match="is not the locked file") as caught:
        fetch([over], {}, settings, ui)
    assert "the server has 301000" in caught.value.why
    fetch([under], {}, settings, ui)
    assert _brought(settings, under) == site.files[under.filename]


def test_a_stalled_server_is_given_up_after_the_time_out_and_resumed(site, settings, ui, wheel):
    once, always = wheel("once"), wheel("always")
    settings = replace(settings, read_timeout=0.5)
    site.faults[once.filename] = "once-stall"
    fetch([once], {}, settings, ui)
    assert _brought(settings, once) == site.files[once.filename]
    site.faults[always.filename] = "stall"
    with pytest.raises(JobError, match="each time") as caught:
        fetch([always], {}, settings, ui)
    assert caught.value.why == "no byte came within 0.5 s"


def test_two_hundred_small_files_come_at_once(site, settings, ui, wheel):
    wanted = [wheel(f"demo{number}", 1000) for number in range(200)]
    done = fetch(wanted, {}, replace(settings, jobs=32), ui)
    assert len(done.fetched) == 200
    assert site.gets() == {f"/files/{item.filename}": 1 for item in wanted}
    assert all(_brought(settings, item) == site.files[item.filename] for item in wanted)


def test_hash_locked_takes_locked_files_unverified_and_refuses_others(site, settings, ui, wheel, capsys):
    wanted = [wheel(f"demo{number}") for number in range(8)]
    bad = wheel("bad")
    site.faults[bad.filename] = "wrong"
    blind = replace(settings, ca_bundle=())
    with pytest.raises(SurroundingsError, match="not trusted"):
        fetch(wanted, {}, blind, ui)
    allowed = replace(blind, tls="hash-locked")
    assert len(fetch(wanted, {}, allowed, ui).fetched) == 8
    assert capsys.readouterr().err.count("TLS=hash-locked") == 1
    with pytest.raises(JobError, match="is not the locked file"):
        fetch([bad], {}, allowed, ui)
    assert not (settings.wheels / bad.filename).exists()


def test_hash_locked_does_not_hold_for_redirects_to_plain_http(site, settings, ui, wheel):
    wanted = wheel()
    site.faults[wanted.filename] = "redirect-http"
    with pytest.raises(JobError, match="redirects from https to an address without TLS"):
        fetch([wanted], {}, replace(settings, ca_bundle=(), tls="hash-locked"), ui)
