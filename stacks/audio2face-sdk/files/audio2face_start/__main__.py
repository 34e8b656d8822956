"""The command line: `engines`, `sample`, `check` and `run`.

Exit codes: 0 done, 1 a step failed, 2 what was given is wrong, 3 the container lacks something; `run`: the program's.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from audio2face_start import engines, models, run
from audio2face_start.errors import StartError
from audio2face_start.say import say


def main(words: Sequence[str] | None = None) -> int:
    """Run the program; gives its exit code."""
    asked = _parser().parse_args(words)
    before = signal.signal(signal.SIGTERM, _stop)
    try:
        code: int = asked.run(asked)
    except StartError as error:
        say(f"error: {error}")
        code = error.exit_code
    except KeyboardInterrupt:
        code = 130
    finally:
        signal.signal(signal.SIGTERM, before)
    return code


def _stop(number: int, frame: FrameType | None) -> None:
    raise SystemExit(143)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="audio2face", description=__doc__)
    verbs = parser.add_subparsers(required=True, metavar="engines|sample|check|run")
    make = verbs.add_parser("engines", help="make the engines that are missing")
    make.set_defaults(run=_engines)
    check = verbs.add_parser("check", help="say of each model whether its engine is there and loads")
    check.set_defaults(run=_check)
    for verb in (make, check):
        verb.add_argument("models", nargs="*", metavar="MODEL", help="folders of /models (default: all but emotion)")
    sample = verbs.add_parser("sample", help="upstream's sample on one sound, with two kinds of model")
    sample.set_defaults(run=_sample)
    sample.add_argument("--sound", type=Path, help="a WAV file of 16 kHz (default: upstream's, of 4 seconds)")
    start = verbs.add_parser("run", help="one of upstream's programs, with every engine in its place")
    start.set_defaults(run=_run)
    start.add_argument("program")
    start.add_argument("arguments", nargs=argparse.REMAINDER)
    return parser


def _engines(asked: argparse.Namespace) -> int:
    engines.warn_if_lost()
    for model in models.found(asked.models):
        say(f"{model.name}: {engines.ensure(model)}")
    return 0


def _check(asked: argparse.Namespace) -> int:
    states = {model.name: engines.state(engines.place(model)) for model in models.found(asked.models)}
    for name, state in states.items():
        sys.stdout.write(f"{name}\t{state}\n")
    return 0 if set(states.values()) == {"good"} else 1


def _sample(asked: argparse.Namespace) -> int:
    engines.warn_if_lost()
    run.sample(asked.sound)
    return 0


def _run(asked: argparse.Namespace) -> int:
    engines.warn_if_lost()
    return run.program(asked.program, asked.arguments)


if __name__ == "__main__":
    sys.exit(main())
