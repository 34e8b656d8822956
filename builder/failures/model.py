"""What a known failure is, and what a log is found to hold. No IO here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Level = Literal["error", "warning"]
Kind = Literal["exact", "general", "consequence"]
_SAFE = re.compile(r"[\w.+:/@ -]{1,80}")  # what of a log may stand in our words: nothing that a shell obeys


@dataclass(frozen=True, kw_only=True)
class Pattern:
    """Words that tell a failure.

    text: characters that stand in the log as they are. then: a regular expression for what follows right
    behind them ("" for anything), at most `scan.AHEAD` bytes long and free to cross lines; its named groups
    may be used in cause and fix. near: at least one of these stands within `scan.AHEAD` bytes before or after.
    unless: none of these stands there. after: one of these words stands right before the text. start: nothing but
    blanks stands before the text on its line. tail: it is looked for in the last `scan.TAIL` bytes alone, as a text
    of common letters is dear to look for in a whole log.
    """

    text: str
    then: str = ""
    near: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    start: bool = False
    tail: bool = False


@dataclass(frozen=True, kw_only=True)
class Failure:
    """One known failure. level: "warning" where the work went on. over: failures that this one explains.

    kind: an exact failure; a general one, which yields on the lines where another one shows; or a mere consequence,
    which stands under whatever error stands before it. fix: the one thing to do, with plain docker and pip; stack:
    the same for the author of a stack, "" where it is no other. A {NAME} in cause, fix or stack stands for a
    pattern's group of that name. source: where the facts are from.
    """

    id: str
    patterns: tuple[Pattern, ...]
    cause: str
    fix: str
    source: str
    stack: str = ""
    level: Level = "error"
    kind: Kind = "exact"
    over: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Hit:
    """Where a failure shows. line: counted from 1, as editors do. text: that line, or a part of it, as it may be shown.

    groups: what the pattern's named groups stood for. length: bytes that the pattern matched. passing: the line
    says itself that the work goes on, as one that is tried again.
    """

    line: int
    text: str
    groups: Mapping[str, str] = field(default_factory=dict)
    length: int = 0
    passing: bool = False


@dataclass(frozen=True, kw_only=True)
class Match:
    """A failure that a log shows. hits: the first of them by line; more: whether there are others.

    follows: a failure of the same log that explains this one, "" for none. level: the failure's, or "warning"
    where the log goes on well behind the last hit.
    """

    failure: Failure
    hits: tuple[Hit, ...]
    more: bool
    follows: str = ""
    level: Level = "error"

    @property
    def cause(self) -> str:
        """The cause, with the hits' groups put in."""
        return self._filled(self.failure.cause)

    @property
    def fix(self) -> str:
        """The one thing to do with plain docker and pip, with the hits' groups put in."""
        return self._filled(self.failure.fix)

    @property
    def stack(self) -> str:
        """The one thing to do for the author of a stack, with the hits' groups put in; "" where fix says it."""
        return self._filled(self.failure.stack)

    @property
    def lines(self) -> str:
        """The numbers of the lines, as people read them."""
        return ", ".join(str(hit.line) for hit in self.hits) + (" …" if self.more else "")

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
            "level": self.level,
            "cause": self.cause,
            "fix": self.fix,
            "stack": self.stack,
            "source": self.failure.source,
            "follows": self.follows,
            "hits": [_document(hit) for hit in self.hits],
            "more": self.more,
        }


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How a log ends, for whoever has a failure that nobody knows.

    first, last: the first and the last line with the signs of an error, None where there is none. well: the work
    went on, or came to its end, after the last of them. step: what was being done, "" where the log does not say.
    sort: what sort of failure it looks like; next: the command that finds out more.
    """

    first: Hit | None = None
    last: Hit | None = None
    well: bool = True
    step: str = ""
    sort: str = ""
    next: str = ""

    @property
    def failed(self) -> bool:
        """Whether the log ends with an error."""
        return self.last is not None and not self.well

    def document(self) -> dict[str, Any]:
        """The ending as a JSON-ready mapping."""
        return {
            "failed": self.failed,
            "first_error": _document(self.first) if self.first else None,
            "last_error": _document(self.last) if self.last else None,
            "step": self.step,
            "sort": self.sort,
            "next": self.next,
        }


@dataclass(frozen=True, kw_only=True)
class Reading:
    """A log that was read to its end. matches: the first to read first. lines, bytes: how much was read."""

    matches: tuple[Match, ...]
    lines: int
    bytes: int
    ending: Ending = field(default_factory=Ending)

    @property
    def failed(self) -> bool:
        """Whether an error was found, known or not."""
        return self.ending.failed or any(one.level == "error" for one in self.matches)


def _document(hit: Hit) -> dict[str, Any]:
    return {key: value for key, value in asdict(hit).items() if key not in ("length", "passing")}
