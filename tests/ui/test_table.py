"""Tables fit the screen and break no word, whatever is in them."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from builder.ui.table import cut, one_line_a_row, side_by_side, width, wrapped

_CELL = st.text(st.sampled_from("abcdefghij  \n漢é"), max_size=60)


def _words(text: str) -> set[str]:
    return set(text.split())


@given(st.lists(st.lists(_CELL, min_size=3, max_size=3), min_size=1, max_size=6), st.integers(20, 120))
@example([["a" * 90, "b", "c d"]], 80)
@example([["", "", ""]], 20)
def test_no_line_is_too_long_but_one_of_a_single_word_and_no_word_is_broken(rows: list[list[str]], room: int) -> None:
    lines = side_by_side(["one", "two", "three"], rows, room)
    given_words = _words(" ".join(cell for row in rows for cell in row))
    assert all(width(line) <= room or max(map(width, line.split())) > room - 10 for line in lines)
    shown = _words("\n".join(lines).replace("─", " "))
    assert given_words <= shown <= given_words | {"one", "two", "three"}


@given(st.lists(st.lists(_CELL, min_size=3, max_size=3), min_size=1, max_size=6), st.integers(40, 120))
def test_a_row_of_one_line_stays_one(rows: list[list[str]], room: int) -> None:
    flat = [[" ".join(cell.split())[:9] for cell in row[:2]] + [row[2]] for row in rows]
    lines = one_line_a_row(["one", "two", "three"], flat, room, ["two"])
    assert len(lines) == len(rows) + 2
    assert all(width(line) <= room for line in lines)
    assert _words("\n".join(lines).replace("─", " ")) <= _words(" ".join(cell for row in flat for cell in row)) | {
        "one",
        "two",
        "three",
        "…",
    }


def test_columns_share_what_room_there_is() -> None:
    lines = side_by_side(["name", "why"], [["numpy", "one two three four five six seven"], ["six", "-"]], 24)
    assert lines == [
        "name   why",
        "─────  ─────────────────",
        "numpy  one two three",
        "       four five six",
        "       seven",
        "six    -",
    ]


def test_what_cannot_stand_side_by_side_is_a_list() -> None:
    path = "/a/very/long/path/that/fits/no/column"
    assert side_by_side(["setting", "value", "from"], [["home", path, "the default"]], 44) == [
        "home",
        f"  value  {path}",
        "  from   the default",
    ]


@pytest.mark.parametrize(("room", "kept"), [(200, "a b c d e"), (9, "a b c d e"), (8, "a b c …"), (3, "a …"), (1, "…")])
def test_an_end_is_cut_at_a_space(room: int, kept: str) -> None:
    assert cut("a b c d e", room) == kept


def test_lines_keep_their_margin() -> None:
    assert wrapped("cause: it\n  is so and so", 8) == ["cause:", "it", "  is so", "and so"]
