"""What a known failure is, and what a log is found to hold. No IO here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Level = Literal["error", "warning"]
_SAFE = re.compile(r"[\w.+:/@ -]{1,80}")  # what of a log may stand in our words: nothing that a shell obeys


@dataclass(frozen=True, kw_only=True)
class Pattern:
    """Words that tell a failure.

    text: characters that stand in the log as they are. then: a regular expression for what follows right
    behind them ("" for anything), at most `scan.AHEAD` bytes long and free to cross lines; its named groups
    may be used in cause and fix. near: at least one of these stands within `scan.AHEAD` bytes before or after.
    start: nothing but blanks stands before the text on its line.
    """

    text: str
    then: str = ""
    near: tuple[str, ...] = ()
    start: bool = False


@dataclass(frozen=True, kw_only=True)
class Failure:
    """One known failure. level: "warning" where the work went on. over: failures that this one explains.

    A {NAME} in cause or fix stands for a pattern's group of that name. source: where the facts are from.
    """

    id: str
    patterns: tuple[Pattern, ...]
    cause: str
    fix: str
    source: str
    level: Level = "error"
    over: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Hit:
    """Where a failure shows. line: counted from 1, as editors do. text: that line, or a part of it, as it may be shown.

    groups: what the pattern's named groups stood for. length: bytes that the pattern matched.
    """

    line: int
    text: str
    groups: Mapping[str, str] = field(default_factory=dict)
    length: int = 0


@dataclass(frozen=True, kw_only=True)
class Match:
    """A failure that a log shows. hits: the first of them by line; more: whether there are others.

    follows: a failure of the same log that explains this one, "" for none.
    """

    failure: Failure
    hits: tuple[Hit, ...]
    more: bool
    follows: str = ""

    @property
    def cause(self) -> str:
        """The cause, with the hits' groups put in."""
        return self._filled(self.failure.cause)

    @property
    def fix(self) -> str:
        """The one thing to do, with the hits' groups put in."""
        return self._filled(self.failure.fix)

    def _filled(self, text: str) -> str:
        """A text with its {NAME}s replaced by the first hit's groups; one that a shell might obey stays a name."""
        groups = {name: value for hit in reversed(self.hits) for name, value in hit.groups.items()}

        def value(name: re.Match[str]) -> str:
            given = groups.get(name[1], "").strip()
            return given if _SAFE.fullmatch(given) else name[1].upper()

        return re.sub(r"\{(\w+)\}", value, text)

    def document(self) -> dict[str, Any]:
        """The match as a JSON-ready mapping."""
        return {
            "id": self.failure.id,
            "level": self.failure.level,
            "cause": self.cause,
            "fix": self.fix,
            "source": self.failure.source,
            "follows": self.follows,
            "hits": [{key: value for key, value in asdict(hit).items() if key != "length"} for hit in self.hits],
            "more": self.more,
        }


@dataclass(frozen=True, kw_only=True)
class Reading:
    """A log that was read to its end. matches: the most specific first. lines, bytes: how much was read."""

    matches: tuple[Match, ...]
    lines: int
    bytes: int


def ranked(found: Mapping[str, tuple[tuple[Hit, ...], bool]], known: Mapping[str, Failure]) -> tuple[Match, ...]:
    """Matches in the order to read them: errors before warnings, what explains before what follows, then
    the longest words, then the first line. found: hits and `more` by the failure's id."""

    def depth(name: str) -> int:
        above = [depth(other) for other in found if name in known[other].over]
        return 1 + max(above) if above else 0

    def rank(name: str) -> tuple[bool, int, int, int]:
        hits, _ = found[name]
        longest = max(hit.length for hit in hits)
        return known[name].level == "warning", depth(name), -longest, hits[0].line

    order = sorted(found, key=rank)
    return tuple(
        Match(
            failure=known[name],
            hits=found[name][0],
            more=found[name][1],
            follows=next((other for other in order if name in known[other].over), ""),
        )
        for name in order
    )
