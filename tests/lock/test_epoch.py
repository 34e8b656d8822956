"""The epoch of a lock: the moment it is made, or what SOURCE_DATE_EPOCH says."""

from __future__ import annotations

import time

import pytest

from builder.errors import InputError
from builder.lock.resolve import made_at


def test_a_lock_is_of_now_where_nothing_else_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    assert abs(made_at() - time.time()) < 5


def test_two_makers_agree_by_the_variable_of_reproducible_builds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    assert made_at() == made_at() == 1_700_000_000


@pytest.mark.parametrize("text", ["-1", "1e9", "now", "9" * 12, "9" * 5000, "1\n", " 1", "\u0661"])
def test_another_word_is_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", text)
    with pytest.raises(InputError, match="is no date"):
        made_at()
