"""Reading a log once, in bounded pieces, for every known failure at the same time.

A log is hostile: it may be binary, a line may be gigabytes long, and its words may be chosen to make a search
slow. So there are no lines here but bytes: what may match is looked for as plain characters, a regular expression
runs only right behind them and over AHEAD bytes at most, and what was found often enough is looked for no more.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from builder.errors import InputError
from builder.failures.catalogue import known, signs
from builder.failures.clean import clean, shown
from builder.failures.ending import ending
from builder.failures.model import Failure, Hit, Match, Reading
from builder.failures.quiet import passed_over, tried_again
from builder.failures.rank import Found, Signs, ranked
from builder.failures.search import AHEAD, Search, Texts, line_start

TAIL = 1 << 16  # bytes that are the end of a log
KEPT = 3  # hits kept of each failure
_PIECE = 1 << 18  # bytes read and searched at a time
_TRIES = 2000  # times in one piece that a text may stand there without being a match; more is no log but an attack
_LINE = 1 << 16  # bytes of an unfinished line that wait for its end


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


@functools.cache
def _all_known() -> tuple[Texts, Texts]:
    return _both({**signs(), **known()})


def _both(failures: Mapping[str, Failure]) -> tuple[Texts, Texts]:
    """What is looked for in a whole log, and what in its end alone."""
    return Texts.of(failures), Texts.of(failures, tail=True)


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
        self._counted = 0, 0  # a place in the block, and the ends of lines before it
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
            self._block, self._searched, self._counted = self._block[gone:], limit - gone, (0, 0)

    def _search(self, limit: int) -> None:
        """Keep the first hits of each failure among the texts that begin before limit."""
        done = {name for name, hits in self._found.items() if len(hits) > KEPT}
        if any(one.failure in done for one in self._texts.searches):
            left = (one for one in self._texts.searches if one.failure not in done)
            self._texts = Texts(left, long=True)
        for search, place, end, groups in self._matches(self._texts, self._searched, limit):
            if len(self._found.get(search.failure, ())) <= KEPT:
                self._keep(search.failure, self._hit(place, end, groups))

    def _matches(self, texts: Texts, first: int, limit: int) -> Iterator[tuple[Search, int, int, Mapping[str, bytes]]]:
        """Each pattern that begins from first to before limit, once a line: it, its place, its end, its groups."""
        block = self._block
        passed: dict[Search, int] = {}
        tries: Counter[Search] = Counter()
        for search, place in texts.found(block, first, limit):
            tries[search] += 1
            if tries[search] > _TRIES or place < passed.get(search, 0):
                continue
            if not (matched := search.at(block, place)):
                continue
            line_end = block.find(b"\n", place)
            passed[search] = line_end if line_end >= 0 else limit
            start = line_start(block, place)
            if not passed_over(block[start : passed[search]][:AHEAD], block[max(0, start - AHEAD) : start]):
                yield search, place, *matched

    def _number(self, place: int) -> int:
        """The line of a place; places come nearly in their order, so what was counted is not counted again."""
        before, lines = self._counted if self._counted[0] <= place else (0, 0)
        self._counted = place, lines + self._block.count(b"\n", before, place)
        return self._line + self._counted[1]

    def _hit(self, place: int, end: int, groups: Mapping[str, bytes]) -> Hit:
        start = line_start(self._block, place)
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


def _line(hit: Hit) -> int:
    return hit.line
