"""The entry point: sets LIVE_PORTRAIT_BATCH_SIZE by the container's memory, then becomes the program asked for.

`inference.py …` and other .py files run with the fixes of fixes.py; anything else, such as bash, runs as it is.
"""

from __future__ import annotations

import os
import sys
from collections.abc import MutableMapping
from typing import NoReturn

from liveportrait_start.memory import GB, VARIABLE, batch_size, measured


def say(text: str) -> None:
    """One line for whoever reads the container's log."""
    sys.stderr.write(f"liveportrait: {text}\n")
    sys.stderr.flush()


def prepare(environment: MutableMapping[str, str]) -> None:
    """Set the batch size in an environment, unless the user has; warn where memory is short. Raises SystemExit."""
    own = environment.get(VARIABLE, "")
    if own and not (own.isascii() and own.isdigit() and int(own) > 0):
        raise SystemExit(f"liveportrait: {VARIABLE}={own!r} is no whole number from 1 on; correct it or leave it out")
    try:
        memory = measured()
    except (OSError, ValueError, KeyError) as error:
        environment.setdefault(VARIABLE, own or "1")
        say(f"the memory limit cannot be read ({error}); {environment[VARIABLE]} frames a batch")
        return
    environment[VARIABLE] = own or str(batch_size(memory.limit))
    whose = "set by the user" if own else "by the limit"
    say(f"memory limit {memory.limit / GB:.1f} GB ({memory.source}); {environment[VARIABLE]} frames a batch, {whose}")
    if memory.short:
        used = 100 * (1 - memory.free / memory.limit)
        say(
            f"warning: {used:.0f} % of the memory is in use, {memory.free / GB:.1f} GB are free; "
            f"give the container more, end other programs, or set {VARIABLE} lower"
        )


def main(arguments: list[str]) -> NoReturn:
    """Become the program; ends with 2 where none is named and 127 where there is none of that name."""
    if not arguments:
        say("name the program: inference.py -s SOURCE -d DRIVING -o FOLDER, or app.py --server-name 0.0.0.0")
        raise SystemExit(2)
    prepare(os.environ)
    if arguments[0].endswith(".py"):
        arguments = [sys.executable, "-m", "liveportrait_start.run", *arguments]
    try:
        os.execvp(arguments[0], arguments)  # noqa: S606  (no shell is wanted)
    except OSError as error:
        say(f"{arguments[0]} cannot be started: {error.strerror}")
        raise SystemExit(127) from None


if __name__ == "__main__":
    main(sys.argv[1:])
