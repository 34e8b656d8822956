"""Which of the failures that a log shows to read first, and which are only what follows from another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from builder.failures.model import Failure, Hit, Level, Match


@dataclass(frozen=True)
class Found:
    """Where one failure shows. hits: the first ones; more: there are others; last: the last line that is known.

    near: one of them is near the log's end.
    """

    hits: tuple[Hit, ...]
    more: bool
    last: int
    near: bool = True


@dataclass(frozen=True)
class Signs:
    """The last lines, 0 for none: of an error's sign, of the end of a program that failed, of work that goes on."""

    error: int = 0
    ended: int = 0
    went_on: int = 0

    @property
    def well(self) -> bool:
        """Whether work goes on after the last sign of an error."""
        return self.went_on > max(self.error, self.ended)


def ranked(found: Mapping[str, Found], known: Mapping[str, Failure], signs: Signs) -> tuple[Match, ...]:
    """Matches in the order to read them: errors before warnings, what is near the log's end before what stands far
    above, what explains before what follows, exact before general ones, then the longest words, then the first line.
    """
    found = _apart(_lasting(found, signs), known)
    order = sorted(found, key=lambda name: _rank(name, found, known, signs))
    return tuple(
        Match(
            failure=known[name],
            hits=found[name].hits,
            more=found[name].more,
            follows=_explained(name, order, found, known),
            level=_level(found[name], known[name], signs),
        )
        for name in order
    )


def _lasting(found: Mapping[str, Found], signs: Signs) -> dict[str, Found]:
    """Without what was only tried again, where no error came of it."""
    bad = max(signs.error, signs.ended)

    def passed(one: Found) -> bool:
        return all(hit.passing for hit in one.hits) and signs.went_on > one.last >= bad

    return {name: one for name, one in found.items() if not passed(one)}


def _apart(found: Mapping[str, Found], known: Mapping[str, Failure]) -> dict[str, Found]:
    """Without general failures on lines that show an exact one, and those that another one explains."""
    taken = {hit.line for name, one in found.items() if known[name].kind == "exact" for hit in one.hits}
    kept = {}
    for name, one in found.items():
        general = known[name].kind == "general"
        hits = tuple(hit for hit in one.hits if not general or hit.line not in taken)
        if hits:
            kept[name] = replace(one, hits=hits)
    explained = {below for name in kept for below in known[name].over}
    return {name: one for name, one in kept.items() if known[name].kind != "general" or name not in explained}


def _level(one: Found, failure: Failure, signs: Signs) -> Level:
    """A warning where the log goes on well behind it, and no program ended with an error since."""
    return "warning" if signs.well and signs.went_on > one.last >= signs.ended else failure.level


def _rank(
    name: str, found: Mapping[str, Found], known: Mapping[str, Failure], signs: Signs
) -> tuple[bool, bool, int, bool, int, int]:
    one = found[name]

    def depth(name: str) -> int:
        above = [depth(other) for other in found if name in known[other].over]
        return 1 + max(above) if above else int(known[name].kind == "consequence")

    def near(name: str) -> bool:
        return found[name].near or any(near(below) for below in known[name].over if below in found)

    longest = max(hit.length for hit in one.hits)
    warning = _level(one, known[name], signs) == "warning"
    return warning, not near(name), depth(name), known[name].kind == "general", -longest, one.hits[0].line


def _explained(name: str, order: list[str], found: Mapping[str, Found], known: Mapping[str, Failure]) -> str:
    """What explains a failure: one that names it or, of a mere consequence, the first error that stands before it."""
    for other in order:
        if name in known[other].over:
            return other
    if known[name].kind != "consequence":
        return ""
    line = found[name].hits[0].line
    before = (one for one in order if known[one].kind != "consequence" and found[one].hits[0].line <= line)
    return next((one for one in before if known[one].level == "error"), "")
