"""What the last build left in build/NAME: the seconds of each verb, and of each step that BuildKit ran."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from builder.net.urls import clean_text
from builder.plain import plain
from builder.stack import RECORD

_MOST = 16 << 20  # bytes of a log; that of a build of 40 minutes has 3 MB
_STEPS, _WIDTH = 30, 160  # steps that are shown, and characters of one
_LONGEST = 400  # characters of what ended a build
_STEP = re.compile(r"#(\d+) \[(?!internal|context)([^\]]{1,80})\] (.*)")
_FAILED = re.compile(r"#(\d+) ERROR: (.*)")
_DONE = re.compile(r"#(\d+) (?:DONE (\d+(?:\.\d+)?)s|(CACHED))")
_VERBS = ("lock", "complete", "check", "fetch", "compile", "build", "smoke")


@dataclass(frozen=True)
class Bar:
    """A piece of work. start and seconds: of the whole line of time. note: what it ran, or that it was kept."""

    name: str
    start: float
    seconds: float
    note: str = ""


@dataclass(frozen=True)
class Timeline:
    """verbs: one after the other. steps: BuildKit's, which run beside each other, the longest of all_steps.

    failed: what ended a build, "" for one that was finished.
    """

    verbs: tuple[Bar, ...] = ()
    steps: tuple[Bar, ...] = ()
    cached: int = 0
    all_steps: int = 0
    failed: str = ""

    @property
    def seconds(self) -> float:
        """Of all verbs."""
        return sum(bar.seconds for bar in self.verbs)


def timeline(folder: Path) -> Timeline:
    """Of the last build in build/NAME, as far as it left something that can be read."""
    log = _text(folder / "build.log")
    steps = _steps(log)
    shown = sorted((one for one in steps if one.seconds > 0), key=lambda one: (-one.seconds, one.name))[:_STEPS]
    ended = [found[2] for line in log.splitlines() if (found := _FAILED.match(line))]
    return Timeline(
        verbs=_verbs(_text(folder / RECORD)),
        steps=tuple(shown),
        cached=sum(one.note == "kept" for one in steps),
        all_steps=len(steps),
        failed=clean_text(plain(ended[-1]))[:_LONGEST] if ended else "",
    )


def _verbs(text: str) -> tuple[Bar, ...]:
    try:
        said = json.loads(text)["seconds"]
        seconds = {str(verb): max(float(value), 0.0) for verb, value in said.items() if float(value) < 1e7}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return ()
    bars, start = [], 0.0
    for verb in [*(one for one in _VERBS if one in seconds), *sorted(seconds.keys() - set(_VERBS))][:12]:
        bars.append(Bar(plain(verb)[:20], start, seconds[verb]))
        start += seconds[verb]
    return tuple(bars)


def _steps(log: str) -> list[Bar]:
    """The steps in the order that they began in."""
    names: dict[str, tuple[str, str]] = {}
    ended: dict[str, tuple[float, str]] = {}
    for line in log.splitlines():
        if (found := _STEP.match(line)) and found[1] not in names:
            names[found[1]] = plain(found[2]), clean_text(plain(" ".join(found[3].split())))[:_WIDTH]
        elif found := _DONE.match(line):
            ended[found[1]] = float(found[2] or 0), "kept" if found[3] else ""
    return [
        Bar(name, 0.0, ended[number][0], ended[number][1] or what)
        for number, (name, what) in names.items()
        if number in ended
    ]


def _text(path: Path) -> str:
    """The file, "" where there is none that can be read."""
    try:
        if path.is_file() and path.stat().st_size <= _MOST:
            return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        pass
    return ""
