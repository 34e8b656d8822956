"""The commands that our words name, as they are typed where this program runs."""

from __future__ import annotations

import re

from builder.settings.program import INSTALLED

VERBS = [
    "audit",
    "bake",
    "build",
    "check",
    "ci",
    "compose",
    "doctor",
    "engine",
    "export",
    "fetch",
    "import",
    "list",
    "lock",
    "matrix",
    "new",
    "prune",
    "publish",
    "render",
    "report",
    "reproduce",
    "sbom",
    "share",
    "smoke",
    "stack",
    "verify",
]
_VERB = re.compile(rf"\bmake ({'|'.join(VERBS)})\b((?: [A-Z_]+=[^\s`,;)]+)*)")
_PLACES = ("STACK", "BUNDLE", "NAME")  # what a verb takes without a name


def spoken(text: str, *, installed: bool = INSTALLED) -> str:
    """A text whose commands of make are those of `modelstacks`, where there is no Makefile.

    `make lock STACK=NAME UPGRADE=1` becomes `modelstacks lock --upgrade NAME`.
    """
    return _VERB.sub(_command, text) if installed else text


def _command(found: re.Match[str]) -> str:
    given = dict(word.split("=", 1) for word in found[2].split())
    words = ["modelstacks", found[1]]
    for name, value in given.items():
        if name not in _PLACES:
            option = f"--{name.lower().replace('_', '-')}"
            words += [option] if value == "1" else [option, value]
    return " ".join([*words, *(given[name] for name in _PLACES if name in given)])
