"""Finding many texts in a block of bytes at once, and whether what stands around one makes it a match."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from ahocorasick_rs import BytesAhoCorasick, Implementation

from builder.failures.model import Failure, Pattern

AHEAD = 8192  # bytes before and behind a text that its pattern may look at


@dataclass(frozen=True, eq=False)
class Search:
    """A pattern made ready: everything as bytes."""

    failure: str
    text: bytes
    pattern: Pattern

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
    """One text and the patterns that have it."""

    def __init__(self, text: bytes) -> None:
        self.text = text
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
    """Finds all texts in one pass, by an Aho-Corasick automaton. long: whether it pays to spend 10 ms more on one that
    reads up to twice as fast."""

    def __init__(self, searches: Iterable[Search], *, long: bool = False) -> None:
        self.searches = list(searches)
        self.longest = max((len(one.text) for one in self.searches), default=0)
        texts: dict[bytes, _Text] = {}
        for one in self.searches:
            texts.setdefault(one.text, _Text(one.text)).add(one)
        self._texts = list(texts.values())
        self._automaton = BytesAhoCorasick(list(texts), implementation=Implementation.DFA if long else None)

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
        part = memoryview(block)[first : last + self.longest]
        for number, start, _ in self._automaton.find_matches_as_indexes(part, overlapping=True):
            if (place := first + start) < last:
                for one in self._texts[number].searches(block, place):
                    yield one, place


def line_start(block: bytes, place: int) -> int:
    """Where the line of this place begins, not farther back than AHEAD."""
    first = max(0, place - AHEAD)
    return max(first, block.rfind(b"\n", first, place) + 1)
