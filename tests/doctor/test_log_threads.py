"""The log doctor on logs in the shape of public reports: the first finding is right, and of harmless ones none is."""

from __future__ import annotations

import re
import sys

import pytest

from builder.failures import recognise_stream
from builder.failures.catalogue import known
from tests.doctor.threads import HERE, KINDS, Case, cases, messages


def first_is_right(case: Case) -> bool:
    """Whether the first finding says what it must; of a harmless log, whether no error is found."""
    import io

    reading = recognise_stream(io.BytesIO("\n".join([*case.log, ""]).encode()))
    if case.harmless:
        return not reading.failed
    first = next(iter(reading.matches), None)
    return bool(first and re.search(case.right, f"{first.cause}\n{first.fix}", re.I))


@pytest.mark.parametrize(("kind", "case"), [(kind, one) for kind in KINDS for one in cases(kind)], ids=str)
def test_the_first_finding_is_right(kind: str, case: Case) -> None:
    assert first_is_right(case)


def test_how_many_are_right(capsys: pytest.CaptureFixture[str]) -> None:
    right = {kind: sum(map(first_is_right, cases(kind))) for kind in KINDS}
    with capsys.disabled():
        sys.stdout.write(
            f"\nright of each kind: {', '.join(f'{k} {n} of {len(cases(k))}' for k, n in right.items())}\n"
        )
    assert right == {kind: len(cases(kind)) for kind in KINDS}
    assert len(cases("handed")) == 37
    assert len(cases("held_out")) >= 0.45 * len(cases("held_out") + cases("worked_on"))


def test_no_thread_is_there_twice_and_each_is_in_the_table_of_what_was_read() -> None:
    table = re.findall(r"^\| ([\w.-]+/[\w.-]+) \| (\d+) \| ", (HERE / "threads.md").read_text(), re.M)
    read = [f"{repository}#{number}" for repository, number in table]
    assert len(read) >= 150
    assert len(set(read)) == len(read)
    used = [one.thread for kind in KINDS for one in cases(kind) if one.thread]
    assert len(set(used)) == len(used)
    assert set(used) <= set(read)


def test_the_words_are_of_known_failures() -> None:
    assert set(messages()) <= set(known())
