"""docs/traps.md: every row names what it stands on, and every test that it names is run."""

from __future__ import annotations

import re
from functools import cache

import pytest
import yaml

from tests.collecting import collected
from tests.conftest import REPO

PAGE = REPO / "docs" / "traps.md"
NOTES = ("000", "001", "002", "003", "004")
ROWS = [
    tuple(cell.strip() for cell in line.strip().strip("|").split("|"))
    for line in PAGE.read_text().splitlines()
    if re.match(r"\| *\d", line)
]


@cache
def logs() -> frozenset[str]:
    """The logs that tests/doctor/test_log.py holds against the known failures, without their ending."""
    expected = yaml.safe_load((REPO / "tests" / "doctor" / "logs" / "expected.yaml").read_text())
    return frozenset(name for kind in expected.values() for name in kind)


def lost(named: str) -> str:
    """Why a test that a row names is none, "" where pytest runs it: a node id, a file, or data that a test reads."""
    file = named.partition("::")[0]
    path = REPO / file
    if not path.is_file():
        return f"{file} is not there"
    if path.suffix == ".log":
        return "" if path.stem in logs() else f"no test reads {file}"
    if path.suffix == ".py" and not any(one == named or one.startswith(f"{named}::") for one in collected()):
        return f"pytest does not run {named}"
    return ""


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row[0]}-{ROWS.index(row)}")
def test_a_row_is_whole_and_its_tests_are_there(row: tuple[str, ...]) -> None:
    assert len(row) == 4, "a row has note, symptom, what prevents or explains it, and tests"
    assert row[0] in NOTES
    assert all(row)
    named = re.findall(r"`(tests/[^`]+)`", row[3])
    assert named, "no test shows it"
    assert not [why for why in map(lost, named) if why]


def test_no_note_and_no_symptom_is_missing_or_there_twice() -> None:
    assert {row[0] for row in ROWS} == set(NOTES)
    symptoms = [row[1] for row in ROWS]
    assert len(set(symptoms)) == len(symptoms)


@pytest.mark.parametrize(
    "named",
    [
        "tests/nowhere.py",
        "tests/stacks/test_traps.py::test_nothing",
        "tests/conftest.py",
        "tests/build/test_build.py::found_in",
        "tests/doctor/logs/expected.log",
    ],
)
def test_a_name_of_nothing_is_found_out(named: str) -> None:
    assert lost(named)
