"""Finding many texts in a block of bytes at once, and whether what stands around one makes it a match."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from builder.failures.model import Failure, Pattern

AHEAD = 8192  # bytes before and behind a text that its pattern may look at
_SHORT, _MARK = 6, 12  # bytes of a text that are looked for, from its rarest on: at least, and at most
# Printable bytes, the rarest last, as counted in 798 kB of logs of builds, installs and failures.
_RARE = b""" etnioar.ls-dc/pu1m2hbgf0v3y:64`_,k5xw8#z=E(7D)&'9"US[]BCRNq+^OP>GATjFI|*<M{\\}HL%~;@WVYKX$!JZ?Q"""
_RANK = {byte: rank for rank, byte in enumerate(_RARE)}


@dataclass(frozen=True, eq=False)
class Search:
    """A pattern made ready: everything as bytes."""

    failure: str
    text: bytes
    pattern: Pattern

    @functools.cached_property
    def rarest(self) -> int:
        """Where the text has the rarest bytes of those that a mark may begin with."""
        return max((_RANK.get(byte, 128), at) for at, byte in enumerate(self.text[: 1 - _SHORT]))[1]

    @functools.cached_property
    def then(self) -> re.Pattern[bytes] | None:
        """What must follow; compiled where the text was seen, as few of all are."""
        return re.compile(self.pattern.then.encode(), re.M) if self.pattern.then else None

    @functools.cached_property
    def near(self) -> tuple[tuple[bytes, ...], ...]:
        """Words of which one stands around, and words of which none does."""
        return tuple(tuple(map(str.encode, words)) for words in (self.pattern.near, self.pattern.unless))

    def at(self, block: bytes, place: int) -> tuple[int, Mapping[str, bytes]] | None:
        """Where the match ends, and its groups, if the text at this place is one."""
        end, groups = place + len(self.text), {}
        wanted, refused = self.near
        if self.pattern.start and block[line_start(block, place) : place].strip():
            return None
        if self.then:
            followed = self.then.match(block, end, place + AHEAD)
            if not followed:
                return None
            end, groups = followed.end(), {name: value or b"" for name, value in followed.groupdict().items()}
        around = max(0, place - AHEAD), place + AHEAD
        if wanted and not any(block.find(word, *around) >= 0 for word in wanted):
            return None
        if any(block.find(word, *around) >= 0 for word in refused):
            return None
        return end, groups


class _Text:
    """One text and the patterns that have it. offset: of its rarest byte."""

    def __init__(self, text: bytes, offset: int) -> None:
        self.text, self.offset = text, offset
        self.mark = text[offset : offset + _MARK]
        self._any: list[Search] = []
        self._after: dict[bytes, list[Search]] = {}

    def add(self, one: Search) -> None:
        """Add a pattern that has this text."""
        for word in one.pattern.after:
            self._after.setdefault(word.encode(), []).append(one)
        if not one.pattern.after:
            self._any.append(one)

    def searches(self, block: bytes, place: int) -> Iterable[Search]:
        """The patterns that may match a text at this place, by the word that stands before it."""
        if not self._after:
            return self._any
        before = block[max(0, place - 100) : place].split()
        word = before[-1].rpartition("：".encode())[2].lstrip(b"'\"(<") if before else b""
        return [*self._any, *self._after.get(word, ())]


class Texts:
    """Finds all texts in one pass: at each place of a rare character it compares the few texts that have it there.

    One regular expression of all texts would try hundreds of words at each byte; one search per text reads the
    block hundreds of times.
    """

    def __init__(self, searches: Iterable[Search]) -> None:
        self.searches = list(searches)
        self.longest = max((len(one.text) for one in self.searches), default=0)
        texts: dict[bytes, _Text] = {}
        for one in self.searches:
            texts.setdefault(one.text, _Text(one.text, one.rarest)).add(one)
        self._marks: dict[bytes, list[_Text]] = {}
        mark = b"\0"
        for text in sorted(texts.values(), key=lambda text: text.mark):
            mark = mark if text.mark.startswith(mark) else text.mark  # the shorter one stands for both
            self._marks.setdefault(mark, []).append(text)
        rest: dict[bytes, list[bytes]] = {}
        for mark in self._marks:
            rest.setdefault(mark[:1], []).append(mark[1:])
        common = sorted(rest.items(), key=lambda item: _RANK.get(item[0][0], 128))  # branches are tried in their order
        self._expression = re.compile(b"|".join(re.escape(first) + _one_of(ends) for first, ends in common) or b"(?!)")

    @classmethod
    def of(cls, failures: Mapping[str, Failure], *, tail: bool = False) -> Texts:
        """The texts of all patterns of some failures. tail: of those that are looked for in a log's end alone."""
        return cls(
            Search(one.id, pattern.text.encode(), pattern)
            for one in failures.values()
            for pattern in one.patterns
            if pattern.tail == tail
        )

    def found(self, block: bytes, first: int, last: int) -> Iterator[tuple[Search, int]]:
        """Each text and where it begins, of those that begin from first to before last."""
        at, search = first - 1, self._expression.search
        while hit := search(block, at + 1, last + self.longest):  # two marks may overlap
            at = hit.start()
            for text in self._marks[hit[0]]:
                place = at - text.offset
                if first <= place < last and block.startswith(text.text, place):
                    for one in text.searches(block, place):
                        yield one, place


def _one_of(words: Sequence[bytes]) -> bytes:
    """An expression of words, none of them another's beginning, that compares their common beginnings once."""
    if len(words) == 1:
        return re.escape(words[0])
    rest: dict[bytes, list[bytes]] = {}
    for word in words:
        rest.setdefault(word[:1], []).append(word[1:])
    return b"(?:" + b"|".join(re.escape(first) + _one_of(ends) for first, ends in rest.items()) + b")"


def line_start(block: bytes, place: int) -> int:
    """Where the line of this place begins, not farther back than AHEAD."""
    first = max(0, place - AHEAD)
    return max(first, block.rfind(b"\n", first, place) + 1)
