"""The options that are ours: taken out of the command line before upstream's parser sees it."""

from __future__ import annotations

from dataclasses import dataclass

PROGRAMS = ("inference.py", "inference_animals.py")


@dataclass(frozen=True)
class Options:
    """whole: upstream's own way, the whole video in memory. restart: begin anew, whatever state is there."""

    whole: bool = False
    restart: bool = False


def split(arguments: list[str]) -> tuple[Options, list[str]]:
    """Our options, and the arguments without them. A value after `--` is never ours."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    ours = {"--whole", "--restart"}
    found = ours.intersection(arguments[:end])
    rest = [one for place, one in enumerate(arguments) if place >= end or one not in ours]
    return Options(whole="--whole" in found, restart="--restart" in found), rest
