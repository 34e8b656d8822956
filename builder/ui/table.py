"""Tables as lines of text, as wide as the reader's screen: words stay whole, and no line is longer than it has to be.

A table whose columns cannot stand side by side without a broken word is told as a list, one row after the other.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

_GAP = "  "
_WORD = re.compile(r"(?:`[^`\n]*`|\S)+")
_TEXT = 28  # columns of the last cell of a row that is kept to one line, at least


def width(text: str) -> int:
    """The columns of a terminal that a text takes."""
    if text.isascii():
        return len(text)
    wide = sum(unicodedata.east_asian_width(one) in "WF" for one in text)
    return len(text) + wide - sum(unicodedata.combining(one) > 0 for one in text)


def wrapped(text: str, room: int) -> list[str]:
    """The lines of a text, broken at spaces alone: a word longer than the room is a line of its own."""
    found: list[str] = []
    for line in text.splitlines() or [""]:
        if width(line) <= room:
            found.append(line.rstrip())
            continue
        words = line.split()
        found.append(" " * (len(line) - len(line.lstrip())) + words[0])
        for word in words[1:]:
            if width(found[-1]) + 1 + width(word) <= room:
                found[-1] += f" {word}"
            else:
                found.append(word)
    return found


def flowed(text: str, room: int) -> list[str]:
    """The lines of talk, broken as `wrapped` does, yet nowhere in what stands in backticks, which is to be copied; what
    goes on starts below where its line started."""
    found: list[str] = []
    for line in text.split("\n"):
        inset = line[: len(line) - len(line.lstrip(" "))]
        found.append(line if width(line) <= room else inset)
        for word in _WORD.findall(line) if width(line) > room else ():
            if found[-1] == inset:
                found[-1] += word
            elif width(found[-1]) + 1 + width(word) <= room:
                found[-1] += f" {word}"
            else:
                found.append(f"{inset}{word}")
    return found


def cut(text: str, room: int) -> str:
    """A text on one line, its end left out at a space where it is longer than the room."""
    line = " ".join(text.split())
    if width(line) <= room:
        return line
    first = wrapped(line, room - 2)[0]
    return f"{first} …" if width(first) <= room - 2 else "…"


def side_by_side(columns: Sequence[str], rows: Sequence[Sequence[str]], room: int | None) -> list[str]:
    """The lines of a table, its head first. room: columns of the screen, None for as many as there are."""
    table = [list(columns), *(list(row) for row in rows)]
    across = [[row[number] for row in table] for number in range(len(columns))]
    widths = _widths(across, room)
    if widths is None:
        return _listed(columns, rows, room or 0)
    lines = []
    for number, row in enumerate(table):
        cells = [wrapped(cell, size) for cell, size in zip(row, widths, strict=True)]
        for level in range(max(map(len, cells))):
            parts = [cell[level] if level < len(cell) else "" for cell in cells]
            lines.append(_joined(parts, widths))
        if number == 0:
            lines.append(_rule(widths))
    return lines if any(columns) else lines[2:]


def one_line_a_row(
    columns: Sequence[str], rows: Sequence[Sequence[str]], room: int | None, spare: Sequence[str]
) -> list[str]:
    """As `side_by_side`, with no row broken: columns named in `spare` go, the first named first, and the last cell of
    each row is cut, until it fits."""
    kept = list(range(len(columns)))
    natural = [max(width(row[number]) for row in [columns, *rows]) for number in kept]

    def taken() -> int:
        text = kept[-1]
        return sum(natural[one] + len(_GAP) for one in kept[:-1]) + min(natural[text], max(_TEXT, width(columns[text])))

    for name in spare:
        if room is None or taken() <= room:
            break
        kept.remove(list(columns).index(name))
    left = natural[kept[-1]]
    if room is not None:
        left = min(left, max(room - sum(natural[one] + len(_GAP) for one in kept[:-1]), 1))
    widths = [*(natural[one] for one in kept[:-1]), left]
    shown = [[row[one] for one in kept] for row in [columns, *rows]]
    lines = [_joined([*row[:-1], cut(row[-1], left)], widths) for row in shown]
    return [lines[0], _rule(widths), *lines[1:]]


def _widths(across: Sequence[Sequence[str]], room: int | None) -> list[int] | None:
    """The width of each column: as wide as its longest line, else narrower, the widest first, yet never narrower than
    its longest word; None where that is too wide."""
    natural = [max(width(line) for cell in column for line in cell.splitlines() or [""]) for column in across]
    left = None if room is None else room - len(_GAP) * (len(across) - 1)
    if left is None or sum(natural) <= left:
        return natural
    least = [max((width(word) for cell in column for word in cell.split()), default=0) for column in across]
    least[0] = min(natural[0], max(least[0], left // 3))  # what a row is of stays on one line where it can
    if sum(least) > left:
        return None
    low, high = 0, max(natural)
    while low < high:  # the highest level to which every column may be filled
        level = (low + high + 1) // 2
        filled = sum(min(most, max(word, level)) for most, word in zip(natural, least, strict=True))
        low, high = (level, high) if filled <= left else (low, level - 1)
    return [min(most, max(word, low)) for most, word in zip(natural, least, strict=True)]


def _listed(columns: Sequence[str], rows: Sequence[Sequence[str]], room: int) -> list[str]:
    """Rows one after the other: what each is of, and below it every other cell after the name of its column."""
    margin = max(width(column) for column in columns[1:])
    lines = []
    for row in rows:
        lines += wrapped(row[0], room)
        for column, cell in zip(columns[1:], row[1:], strict=True):
            for level, line in enumerate(wrapped(cell, room - margin - 4) if cell else []):
                lines.append(f"  {(column if level == 0 else '').ljust(margin)}  {line}".rstrip())
    return lines


def _joined(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (cell + " " * (size - width(cell)) for cell, size in zip(cells, widths, strict=True))
    return _GAP.join(padded).rstrip()


def _rule(widths: Sequence[int]) -> str:
    return _GAP.join("─" * size for size in widths)
