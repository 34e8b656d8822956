"""What can be said of a log that shows no known failure: its errors, the step they stand in, and where to look."""

from __future__ import annotations

import re
from collections.abc import Sequence

from builder.failures.clean import shown
from builder.failures.model import Ending, Hit

# What was being done, the most telling last: a step of a Dockerfile, a wheel that is built, a file of a traceback.
_STEPS = (
    re.compile(rb"^ ?> (\[[^\]\n]{1,80}\] (?:RUN|COPY|ADD|FROM) [^\n]{1,300})", re.M),
    re.compile(rb"^(\[[^\]\n]{1,60}\d{1,4}/\d{1,4}\] (?:RUN|COPY|ADD|FROM) [^\n]{1,300})", re.M),
    re.compile(rb"^(Step \d{1,4}/\d{1,4} : [^\n]{1,300})", re.M),
    re.compile(rb"((?:Building wheel for|Preparing metadata for|Failed to build) [\w.`=-]{1,120})"),
    re.compile(rb"(Getting requirements to build \w{1,12})"),
    re.compile(rb"^ {2}(File \"[^\"\n]{1,300}\", line \d{1,7}(?:, in [^\n]{1,100})?)", re.M),
    re.compile(rb"^(\$ [^\n]{1,300})", re.M),
)
# Sort of a failure, words that tell it, and the command that finds out more: the first whose words are there.
_SORTS: Sequence[tuple[str, re.Pattern[str], str]] = (
    (
        "the start of a container",
        re.compile(
            r"Error response from daemon|OCI runtime|exec format|executable file not found|failed to create shim"
        ),
        "make doctor ONLY=host",
    ),
    (
        "a download or the network",
        re.compile(r"\b(?:SSL|TLS|certificate|[Tt]imed? ?out|resolve host|Connection|HTTP(?:S|Error)?|4\d\d|5\d\d)\b"),
        "make doctor ONLY=network",
    ),
    (
        "an import",
        re.compile(r"ImportError|ModuleNotFoundError|cannot open shared object|undefined symbol|cannot import name"),
        "make doctor CONTAINER=NAME, with the container that it runs in",
    ),
    (
        "a compilation",
        re.compile(
            r"\.(?:c|cc|cpp|cu|cuh|h|hpp|o)\b.*error|fatal error|nvcc|ptxas|ninja|CMake|make: "
            r"|undefined reference|gcc|g\+\+"
        ),
        "make doctor LOG=FILE, with the whole log: docker build --progress=plain . 2>&1 | tee FILE",
    ),
    (
        "an install",
        re.compile(
            r"subprocess-exited|[Bb]uild(?:ing)? wheel|distribution|requirement|resolv|dpkg|^E: |conda|Failed to build"
        ),
        "make doctor LOG=FILE, with the whole log: pip install -v … 2>&1 | tee FILE",
    ),
    ("the run of a program", re.compile(""), "make doctor CONTAINER=NAME, while its container runs"),
)


def ending(first: Hit | None, last: Hit | None, *, well: bool, tail: bytes) -> Ending:
    """How a log ends. first, last: its errors; well: the work went on after them; tail: the log's end."""
    if last is None or well:
        return Ending(first=first, last=last, well=True)
    sort, more = next((name, more) for name, words, more in _SORTS if words.search(last.text))
    step = next((found[-1] for one in _STEPS if (found := one.findall(tail))), b"")
    return Ending(first=first, last=last, well=False, step=shown(step), sort=sort, next=more)
