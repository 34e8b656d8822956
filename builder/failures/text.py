"""A reading of a log as text: for a terminal of 80 columns, or as Markdown for pasting into an issue."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Sequence
from typing import Literal

from builder.failures.model import Ending, Match, Reading

Format = Literal["text", "markdown"]
_SHOWN = 240  # characters of the log's own words


def plain(name: str, reading: Reading, width: int) -> str:
    """A reading for people. name: the log's; width: of the lines, but for words that are longer."""
    lines = [_headline(name, reading)]
    for one, below in _nested(reading.matches):
        lines += ["", f"{one.level}: {one.failure.id} (line {one.lines})"]
        lines += _wrapped("  | ", _cut(one.hits[0].text), width)
        for word, text in _said(one):
            lines += _wrapped(f"  {word}: ", text, width)
        for other in below:
            lines += _wrapped("  then follows: ", f"{other.failure.id} (line {other.lines}): {other.cause}", width)
    if _unknown(reading):
        lines += ["", *(line for word, text in _ended(reading.ending) for line in _wrapped(f"  {word}: ", text, width))]
    return "\n".join(lines)


def markdown(name: str, reading: Reading) -> str:
    """A reading for an issue: what the log says stands in blocks of code, where nothing of it is obeyed."""
    lines = [f"**{_headline(name.replace('`', ''), reading)}**"]
    for one, below in _nested(reading.matches):
        lines += [
            "",
            f"### {one.level}: `{one.failure.id}`, line {one.lines}",
            "",
            *_fenced(_cut(one.hits[0].text)),
            "",
        ]
        lines += [f"- **{word}:** {text}" for word, text in _said(one)]
        lines += [f"- then follows: `{other.failure.id}`, line {other.lines}: {other.cause}" for other in below]
    if _unknown(reading):
        for word, text in _ended(reading.ending):
            lines += ["", f"{word}:", "", *_fenced(text)]
    return "\n".join(lines)


def _headline(name: str, reading: Reading) -> str:
    where = f"in the {reading.lines} lines of {name}"
    errors = sum(one.level == "error" for one in reading.matches)
    others = len(reading.matches) - errors
    if reading.matches:
        counts = [
            f"{count} {word}{'s' if count > 1 else ''}" for count, word in ((errors, "error"), (others, "warning"))
        ]
        known = f"{' and '.join(one for one in counts if not one.startswith('0'))} {where}"
        return f"{known}; an error that is not known ends it" if _unknown(reading) else known
    return f"no known failure {where}" + ("; an error ends it all the same" if reading.failed else "")


def _unknown(reading: Reading) -> bool:
    """Whether the log ends with an error and none of the known ones accounts for it."""
    return reading.ending.failed and all(one.level == "warning" for one in reading.matches)


def _nested(matches: Sequence[Match]) -> Iterator[tuple[Match, list[Match]]]:
    """Each match that nothing explains, with all that follows from it."""
    parents = {one.failure.id: one.follows for one in matches}

    def root(name: str) -> str:
        while parents.get(name):
            name = parents[name]
        return name

    for one in matches:
        if not one.follows:
            yield one, [other for other in matches if other.follows and root(other.failure.id) == one.failure.id]


def _said(one: Match) -> list[tuple[str, str]]:
    said = [("cause", one.cause), ("fix", one.fix)]
    return [*said, *([("in a stack", one.stack)] if one.stack else []), ("source", one.failure.source)]


def _ended(ending: Ending) -> Iterator[tuple[str, str]]:
    last = ending.last.line if ending.last else 0
    if ending.last:
        yield "last error", f"line {last}: {_cut(ending.last.text)}"
    if ending.first and ending.first.line != last:
        yield "first error", f"line {ending.first.line}: {_cut(ending.first.text)}"
    if ending.step:
        yield "step", _cut(ending.step)
    yield "it looks like", ending.sort
    yield "next", ending.next


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _wrapped(start: str, text: str, width: int) -> list[str]:
    indent = start if start.strip() == "|" else "    "
    return textwrap.wrap(
        text, width, initial_indent=start, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def _fenced(text: str) -> list[str]:
    """A block of code whose fence is longer than any in the text."""
    fence = "`" * (max((len(run) for run in re.findall("`+", text)), default=2) + 1)
    return [fence, text, fence]
