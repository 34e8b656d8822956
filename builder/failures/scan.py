"""Reading a log once, in bounded pieces, for every known failure at the same time.

A log is hostile: it may be binary, a line may be gigabytes long, and its words may be chosen to make a search
slow. So there are no lines here but bytes: what may match is looked for as plain characters, a regular expression
runs only right behind them and over AHEAD bytes at most, and what was found often enough is looked for no more.
"""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from builder.errors import InputError
from builder.failures.catalogue import known, signs
from builder.failures.clean import clean, shown
from builder.failures.ending import ending
from builder.failures.model import Failure, Hit, Match, Pattern, Reading
from builder.failures.quiet import passed_over, tried_again
from builder.failures.rank import Found, Signs, ranked

AHEAD = 8192  # bytes before and behind a text that its pattern may look at
TAIL = 1 << 16  # bytes that are the end of a log
KEPT = 3  # hits kept of each failure
_PIECE = 1 << 18  # bytes read and searched at a time
_TRIES = 2000  # times in one piece that a text may stand there without being a match; more is no log but an attack
_LINE = 1 << 16  # bytes of an unfinished line that wait for its end
_SHORT, _MARK = 6, 12  # bytes of a text that are looked for, from its rarest on: at least, and at most
# Printable bytes, the rarest last, as counted in 798 kB of logs of builds, installs and failures.
_RARE = b""" etnioar.ls-dc/pu1m2hbgf0v3y:64`_,k5xw8#z=E(7D)&'9"US[]BCRNq+^OP>GATjFI|*<M{\\}HL%~;@WVYKX$!JZ?Q"""
_RANK = {byte: rank for rank, byte in enumerate(_RARE)}


def recognise(lines: Iterable[str], failures: Mapping[str, Failure] | None = None) -> tuple[Match, ...]:
    """The known failures that some lines of text show, the most specific first."""
    scan = _Scan(failures)
    for line in lines:
        scan.feed(f"{line}\n".encode(errors="replace"))
    return scan.end().matches


def recognise_file(path: Path) -> Reading:
    """The known failures that a log file shows. Raises InputError where it cannot be read."""
    try:
        with path.open("rb") as stream:
            return recognise_stream(stream)
    except OSError as error:
        raise InputError("the log cannot be read", where=str(path), why=error.strerror or "", fix="check it") from None


def recognise_stream(stream: BinaryIO, *, read: Callable[[int], None] = lambda _: None) -> Reading:
    """The known failures that a stream of bytes shows, read to its end. read: is told of each piece's bytes."""
    scan = _Scan()
    while piece := stream.read(_PIECE):
        scan.feed(piece)
        read(len(piece))
    return scan.end()


@dataclass(frozen=True, eq=False)
class _Search:
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
        if self.pattern.start and block[_line_start(block, place) : place].strip():
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
        self._any: list[_Search] = []
        self._after: dict[bytes, list[_Search]] = {}

    def add(self, one: _Search) -> None:
        """Add a pattern that has this text."""
        for word in one.pattern.after:
            self._after.setdefault(word.encode(), []).append(one)
        if not one.pattern.after:
            self._any.append(one)

    def searches(self, block: bytes, place: int) -> Iterable[_Search]:
        """The patterns that may match a text at this place, by the word that stands before it."""
        if not self._after:
            return self._any
        before = block[max(0, place - 100) : place].split()
        word = before[-1].rpartition("：".encode())[2].lstrip(b"'\"(<") if before else b""
        return [*self._any, *self._after.get(word, ())]


class _Texts:
    """Finds all texts in one pass: at each place of a rare character it compares the few texts that have it there.

    One regular expression of all texts would try hundreds of words at each byte; one search per text reads the
    block hundreds of times.
    """

    def __init__(self, searches: Iterable[_Search]) -> None:
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
    def of(cls, failures: Mapping[str, Failure], *, tail: bool = False) -> _Texts:
        """The texts of all patterns of some failures. tail: of those that are looked for in a log's end alone."""
        return cls(
            _Search(one.id, pattern.text.encode(), pattern)
            for one in failures.values()
            for pattern in one.patterns
            if pattern.tail == tail
        )

    def found(self, block: bytes, first: int, last: int) -> Iterator[tuple[_Search, int]]:
        """Each text and where it begins, of those that begin from first to before last."""
        at, search = first - 1, self._expression.search
        while hit := search(block, at + 1, last + self.longest):  # two marks may overlap
            at = hit.start()
            for text in self._marks[hit[0]]:
                place = at - text.offset
                if first <= place < last and block.startswith(text.text, place):
                    for one in text.searches(block, place):
                        yield one, place


@functools.cache
def _all_known() -> tuple[_Texts, _Texts]:
    return _both({**signs(), **known()})


def _both(failures: Mapping[str, Failure]) -> tuple[_Texts, _Texts]:
    """What is looked for in a whole log, and what in its end alone."""
    return _Texts.of(failures), _Texts.of(failures, tail=True)


class _Scan:
    """One reading. `block` holds what was not searched yet, and TAIL bytes before it."""

    def __init__(self, failures: Mapping[str, Failure] | None = None) -> None:
        self._known = known() if failures is None else failures
        self._both = _all_known() if failures is None else _both({**signs(), **failures})
        self._texts = self._both[0]
        self._found: dict[str, dict[int, Hit]] = {}
        self._waiting = bytearray()
        self._block, self._searched = b"", 0
        self._line = 1  # of the block's first byte
        self._bytes = 0

    def feed(self, data: bytes) -> None:
        """Take some more bytes of the log."""
        self._bytes += len(data)
        self._waiting += data
        if len(self._waiting) < _PIECE:
            return
        # Marks at the start of a line and escape sequences are understood only where a line is whole.
        whole = self._waiting.rfind(b"\n") + 1
        if len(self._waiting) - whole > _LINE:
            whole = len(self._waiting)
        self._take(bytes(self._waiting[:whole]), last=False)
        del self._waiting[:whole]

    def end(self) -> Reading:
        """Search what is left and give what was found."""
        unfinished = bool(self._waiting) and not self._waiting.endswith(b"\n")
        self._take(bytes(self._waiting), last=True)
        lines = self._line - 1 + self._block.count(b"\n") + unfinished
        last = self._last()
        of = Signs(*(max((last.get(name, Hit(line=0, text="")).line, 0)) for name in ("error", "ended", "went-on")))
        found = {name: self._hits(name, last.get(name)) for name in {**self._found, **last} if name in self._known}
        ends = [last[name] for name in ("error", "ended") if name in last]
        errors = [hit for name in ("error", "ended") for hit in self._found.get(name, {}).values()]
        first = min([*errors, *ends], key=_line, default=None)
        final = max(ends, key=_line, default=first)
        return Reading(
            matches=ranked(found, self._known, of),
            lines=lines,
            bytes=self._bytes,
            ending=ending(first, final, well=of.well, tail=self._block[-TAIL:]),
        )

    def _hits(self, name: str, last: Hit | None) -> Found:
        """What was found of a failure. last: where it stands last near the log's end, None for nowhere."""
        hits = [hit for _, hit in sorted(self._found.get(name, {}).items())] or ([last] if last else [])
        line = max(hits[-1].line, last.line if last else 0)
        return Found(tuple(hits[:KEPT]), len(hits) > KEPT, line, near=last is not None)

    def _last(self) -> dict[str, Hit]:
        """Where each failure and sign stands last in the log's end."""
        places: dict[str, tuple[int, int, Mapping[str, bytes]]] = {}
        for texts in self._both:
            matches = self._matches(texts, max(0, len(self._block) - TAIL), len(self._block))
            for search, place, end, groups in matches:
                if place >= places.get(search.failure, (0, 0, {}))[0]:
                    places[search.failure] = place, end, groups
        return {name: self._hit(*where) for name, where in places.items()}

    def _take(self, data: bytes, *, last: bool) -> None:
        self._block += clean(data)
        limit = len(self._block) if last else max(self._searched, len(self._block) - AHEAD)
        self._search(limit)
        self._searched = limit
        if not last and (gone := limit - TAIL) > 0:
            self._line += self._block.count(b"\n", 0, gone)
            self._block, self._searched = self._block[gone:], limit - gone

    def _search(self, limit: int) -> None:
        """Keep the first hits of each failure among the texts that begin before limit."""
        done = {name for name, hits in self._found.items() if len(hits) > KEPT}
        if any(one.failure in done for one in self._texts.searches):
            self._texts = _Texts(one for one in self._texts.searches if one.failure not in done)
        for search, place, end, groups in self._matches(self._texts, self._searched, limit):
            if len(self._found.get(search.failure, ())) <= KEPT:
                self._keep(search.failure, self._hit(place, end, groups))

    def _matches(
        self, texts: _Texts, first: int, limit: int
    ) -> Iterator[tuple[_Search, int, int, Mapping[str, bytes]]]:
        """Each pattern that begins from first to before limit, once a line: it, its place, its end, its groups."""
        block = self._block
        passed: dict[_Search, int] = {}
        tries: Counter[_Search] = Counter()
        for search, place in texts.found(block, first, limit):
            tries[search] += 1
            if tries[search] > _TRIES or place < passed.get(search, 0):
                continue
            if not (matched := search.at(block, place)):
                continue
            line_end = block.find(b"\n", place)
            passed[search] = line_end if line_end >= 0 else limit
            start = _line_start(block, place)
            if not passed_over(block[start : passed[search]][:AHEAD], block[max(0, start - AHEAD) : start]):
                yield search, place, *matched

    def _number(self, place: int) -> int:
        return self._line + self._block.count(b"\n", 0, place)

    def _hit(self, place: int, end: int, groups: Mapping[str, bytes]) -> Hit:
        start = _line_start(self._block, place)
        first, final = max(start, place - 100), min(end, place + 500)
        line_end = self._block.find(b"\n", final, final + 300)
        whole = self._block[first : line_end if line_end >= 0 else final + 300]
        text = f"…{shown(whole)}" if first > start else shown(whole)
        values = {name: shown(value[:200]) for name, value in groups.items()}
        passing = tried_again(self._block[start : line_end if line_end >= 0 else final + 300])
        return Hit(line=self._number(place), text=text, groups=values, length=end - place, passing=passing)

    def _keep(self, failure: str, hit: Hit) -> None:
        hits = self._found.setdefault(failure, {})
        other = hits.get(hit.line, hit)
        longer = hit if hit.length > other.length else other
        hits[hit.line] = replace(longer, groups={**other.groups, **hit.groups})


def _one_of(words: Sequence[bytes]) -> bytes:
    """An expression of words, none of them another's beginning, that compares their common beginnings once."""
    if len(words) == 1:
        return re.escape(words[0])
    rest: dict[bytes, list[bytes]] = {}
    for word in words:
        rest.setdefault(word[:1], []).append(word[1:])
    return b"(?:" + b"|".join(re.escape(first) + _one_of(ends) for first, ends in rest.items()) + b")"


def _line(hit: Hit) -> int:
    return hit.line


def _line_start(block: bytes, place: int) -> int:
    """Where the line of this place begins, not farther back than AHEAD."""
    first = max(0, place - AHEAD)
    return max(first, block.rfind(b"\n", first, place) + 1)
