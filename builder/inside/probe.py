"""Send a Python script to an interpreter on its stdin, with what it imports of `sent/`, and read its JSON document."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from builder.inside.bounded import Said
from builder.inside.place import Place

GRACE = 10  # seconds that a probe is given to end by itself
_ALARM = 14  # SIGALRM
_TAIL = 1500  # characters of an answer that are shown
_SENT = Path(__file__).resolve().parent / "sent"
_IMPORTED = re.compile(rf"^from {re.escape(f'{__package__}.sent.')}(\w+) import ", re.MULTILINE)
# Runs the pieces that come on stdin, each by its length: those of `sent/` as modules, then the script, which sees
# sys.argv as `python -` would set it. The alarm ends it even where nobody is left who waits for it.
_START = """import signal, sys, types
signal.alarm(int(sys.argv.pop(1)))
for name, size in [one.split(":") for one in sys.argv.pop(1).split(",")]:
    code, scope = compile(sys.stdin.buffer.read(int(size)), name, "exec"), globals()
    if not name.startswith("<"):
        sys.modules[name] = types.ModuleType(name)
        scope = sys.modules[name].__dict__
    exec(code, scope)
# {}"""


class ProbeError(AssertionError):
    """A probe did not start, crashed, took too long or gave no usable answer; the text says which, and its words."""


def ask(place: Place, name: str, script: str, arguments: Sequence[str], *, seconds: int, limit: int) -> Said:
    """Run a script by the place's Python, ended inside as well after so many seconds.

    Returns what it said, whatever its exit code. Raises ProbeError where it does not start, gives no answer in time,
    or one of more bytes than the limit.
    """
    label = f"<probe {name}>"
    sent = {f"{__package__}.sent.{one}": (_SENT / f"{one}.py").read_bytes() for one in _IMPORTED.findall(script)}
    pieces = {**sent, label: script.encode()}
    sizes = ",".join(f"{piece}:{len(data)}" for piece, data in pieces.items())
    words = [place.python, *place.options, "-c", _START.format(label), str(seconds), sizes, *arguments]
    try:
        said = place.run(words, seconds=seconds + GRACE, limit=limit, stdin=b"".join(pieces.values()))
    except OSError as error:
        raise ProbeError(f"probe {name} does not start: {error}") from None
    if said.ended == "size":
        raise ProbeError(f"probe {name} printed more than {limit} bytes, too long an answer")
    if said.ended or said.code in (-_ALARM, 128 + _ALARM):
        raise ProbeError(f"probe {name} gave no answer within {seconds} s")
    return said


def last_line(said: Said) -> str:
    """The last line of a probe's output, its document: a container's Python may greet before it."""
    return said.out.strip().rpartition("\n")[2]


def document(name: str, said: Said) -> dict[str, Any]:
    """The JSON object that a probe printed last. Raises ProbeError where it crashed, or printed none."""
    if said.code:
        raise ProbeError(f"probe {name} ended with code {said.code}: {(said.err or said.out).strip()[-_TAIL:]}")
    try:
        answer = json.loads(last_line(said))
    except (ValueError, RecursionError):
        raise ProbeError(f"probe {name} printed no JSON document: {said.out[-_TAIL:]!r}") from None
    if not isinstance(answer, dict):
        raise ProbeError(f"probe {name} printed {type(answer).__name__}, not a JSON object")
    return answer
