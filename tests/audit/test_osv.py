"""Whether an advisory speaks of a version: the shapes that OSV's database has, and the versions that locks have."""

from __future__ import annotations

from typing import Any

import pytest

from builder.audit.model import Advisory, Package, Vulnerable, merged
from builder.audit.osv import Document


def advisory(*ranges: dict[str, Any], versions: list[str] | None = None, name: str = "torch", **more: Any) -> Document:
    affected: dict[str, Any] = {"package": {"ecosystem": "PyPI", "name": name}, "ranges": list(ranges)}
    if versions is not None:
        affected["versions"] = versions
    return Document.model_validate({"id": "GHSA-aaaa-bbbb-cccc", "affected": [affected], **more})


def between(*events: tuple[str, str], kind: str = "ECOSYSTEM") -> dict[str, Any]:
    return {"type": kind, "events": [{key: version} for key, version in events]}


def affected(document: Document, version: str, name: str = "torch") -> bool:
    return document.about(Package(name, version)) is not None


@pytest.mark.parametrize(
    ("events", "inside", "outside"),
    [
        # the usual: all before the fix; a pre-release of the fix is before it
        (
            [("introduced", "0"), ("fixed", "2.6.0")],
            ["0.dev0", "1.13.1", "2.6.0rc1", "2.5.1+cu124"],
            ["2.6.0", "2.6.0.post1"],
        ),
        # a local version is its public release: neither before it nor after it
        ([("introduced", "2.6.0"), ("fixed", "2.7.1")], ["2.6.0+cu118", "2.7.0+cu128"], ["2.5.1+cu124", "2.7.1+cu128"]),
        ([("introduced", "0"), ("last_affected", "2.7.1")], ["2.7.1", "2.7.1+cu128"], ["2.7.1.post1", "2.8.0"]),
        # fixed on two branches, in the order of no one's
        (
            [("fixed", "2.4.3"), ("introduced", "3.0"), ("introduced", "0"), ("fixed", "3.0.2")],
            ["2.4.2", "3.0", "3.0.1"],
            ["2.4.3", "2.9", "3.0.2", "3.1"],
        ),
        ([("introduced", "1.0")], ["1.0", "99"], ["0.9"]),  # not fixed at all
        ([("introduced", "0"), ("limit", "2.0")], ["1.9"], ["2.0", "3"]),
        ([("introduced", "0"), ("limit", "*")], ["1.9", "3"], []),
        ([("introduced", "0"), ("fixed", "1!1.0")], ["2025.1"], ["1!1.0"]),  # an epoch
    ],
)
def test_a_range_holds_what_its_events_say(
    events: list[tuple[str, str]], inside: list[str], outside: list[str]
) -> None:
    document = advisory(between(*events))
    assert [version for version in inside + outside if affected(document, version)] == inside


def test_a_listed_version_is_affected_whatever_the_ranges_say() -> None:
    document = advisory(between(("introduced", "0"), ("fixed", "1.0")), versions=["2.0", "0.9.dev1-odd", "2.7.1"])
    assert [one for one in ("0.5", "1.0", "2", "2.0.0", "2.7.1+cu128", "2.7.2") if affected(document, one)] == [
        "0.5", "2", "2.0.0", "2.7.1+cu128"
    ]  # fmt: skip
    assert affected(document, "0.9.dev1-odd")


def test_commits_name_no_version_and_other_ecosystems_no_package() -> None:
    git = between(("introduced", "0"), kind="GIT")
    assert not affected(advisory(git), "1.0")
    assert affected(advisory(git, between(("introduced", "0"), ("fixed", "2"), kind="SEMVER")), "1.0")
    other = advisory(between(("introduced", "0")))
    other.affected[0].package.ecosystem = "npm"  # type: ignore[union-attr]
    assert not affected(other, "1.0")


def test_what_cannot_be_compared_counts() -> None:
    assert affected(advisory(between(("introduced", "0"), ("fixed", "not a version"))), "1.0")
    assert affected(advisory(between(("introduced", "0"), ("fixed", "1.0"))), "2.0-odd-one")


def test_names_are_compared_as_indexes_do() -> None:
    assert affected(advisory(between(("introduced", "0")), name="Mmcv_Full"), "1.0", name="mmcv-full")


def test_a_withdrawn_advisory_says_nothing() -> None:
    assert not affected(advisory(between(("introduced", "0")), withdrawn="2024-01-01T00:00:00Z"), "1.0")


def test_null_where_a_list_belongs_is_an_empty_one() -> None:
    document = advisory(between(("introduced", "0")), aliases=None, summary=None, details="Words.\n\nMore of them.")
    found = document.about(Package("torch", "1.0"))
    assert found
    assert (found.ids, found.summary) == (("GHSA-aaaa-bbbb-cccc",), "Words. More of them.")


def test_one_vulnerability_under_three_names_is_one() -> None:
    found = merged(
        [
            Advisory.of(["GHSA-1111-2222-3333", "CVE-2024-1"], "", ["2.0"]),
            Advisory.of(["GHSA-9999-2222-3333"], "another", []),
            Advisory.of(["PYSEC-2024-7", "BIT-x-2024-1"], "a long summary of it", []),
            Advisory.of(["CVE-2024-1", "PYSEC-2024-7"], "of it", ["10.0", "2.0"]),  # joins the first and the third
        ]
    )
    assert [one.ids for one in found] == [
        ("CVE-2024-1", "PYSEC-2024-7", "GHSA-1111-2222-3333", "BIT-x-2024-1"),
        ("GHSA-9999-2222-3333",),
    ]
    assert (found[0].summary, found[0].fixed) == ("of it", ("2.0", "10.0"))


def test_only_later_versions_are_a_fix() -> None:
    row = Vulnerable(
        package=Package("a", "2.5+cpu"), use="image", advisory=Advisory.of(["CVE-1-1"], "", ["2.4.3", "3.0.2"])
    )
    assert row.fixed == ("3.0.2",)
