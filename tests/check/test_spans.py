"""A requirement meets a range never, always or maybe; held against trying versions one by one."""

import itertools

import pytest
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from builder.check.spans import meets, within

VERSIONS = [Version(f"{a}.{b}.{c}") for a, b, c in itertools.product(range(4), range(4), range(3))]
TEXTS = ["", ">=2", "<2", ">1.2", "<=1.2.0", "==2.1.0", "==1.*", "==1.2.*", "~=1.2", "~=1.2.1", ">=1,<3", "!=2.0.0"]


@pytest.mark.parametrize("asked", TEXTS)
@pytest.mark.parametrize("range_", [text for text in TEXTS if text and "!" not in text])
def test_what_is_told_of_a_requirement_holds_of_each_version_it_allows(asked: str, range_: str) -> None:
    inside = {within(version, range_) for version in VERSIONS if version in SpecifierSet(asked)}
    told = meets(SpecifierSet(asked), range_)
    if told == "always":
        assert inside == {True}
    elif told == "never":
        assert inside == {False}
    else:
        assert inside == {True, False}


@pytest.mark.parametrize(
    ("asked", "range_", "told"),
    [
        ("<2", ">=2", "never"),
        ("<=2", ">=2", "maybe"),
        ("==2.0", ">=2", "always"),
        ("", ">=2", "maybe"),
        ("~=1.26", ">=2", "never"),
        (">=2,<3", ">=2", "always"),
        (">2", "<=2", "never"),
        ("<3.21", ">=4", "never"),
    ],
)
def test_ends_are_told_exactly(asked: str, range_: str, told: str) -> None:
    assert meets(SpecifierSet(asked), range_) == told


def test_what_follows_the_plus_does_not_count() -> None:
    assert within(Version("1.12.1+cu113"), "==1.12.1")
    assert within(Version("1.12.1+cu113"), "<=1.12.1")
