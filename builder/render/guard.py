"""What is rendered is read again and held against what our templates can make. No IO here.

Spec and lock hold every value to a pattern, and no value that is put into a template may begin a new line. This is the
second door: a Dockerfile in which something else stands than our templates write is never built, as an instruction
such as ADD would make the engine itself fetch, in spite of a build without a network.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from builder.errors import InputError

_BASE = re.compile(r"modelstacks/(base|layers):[a-z0-9]+-[0-9a-f]{12}")
_PLAIN = ("ENV", "LABEL", "WORKDIR", "ENTRYPOINT", "CMD", "EXPOSE", "HEALTHCHECK")
_USER = re.compile(r"([1-9][0-9]{3,4}):\1")
_DIRECTIVE = re.compile(r"#\s*[A-Za-z]+\s*=")
_MOUNTS = {"bind": {"from", "target"}, "cache": {"type", "id", "target"}, "tmpfs": {"type", "target"}}


def one_line(value: object) -> object:
    """A value as it is put into a template. Raises InputError for a text that would begin a new line."""
    if isinstance(value, str) and (bad := next((char for char in value if _control(char)), "")):
        raise InputError(
            f"a value holds {bad!r}, which would begin another line of what is rendered",
            why=repr(value[:200]),
            fix="run `make lock`, and find out who changed the stack or its lock",
        )
    return value


def _control(char: str) -> bool:
    return ord(char) < 32 or 127 <= ord(char) < 160 or char in "\u2028\u2029"


def require_ours(text: str, contexts: Collection[str], where: str) -> None:
    """Hold a Dockerfile to what our templates make of any stack. contexts: the names of those that it may mount.

    Raises InputError, with the line, for an instruction, an image, a stage or a mount that is not ours.
    """
    stages: set[str] = set()
    for number, name, rest in _instructions(text):
        why = _fault(name, rest, stages, contexts)
        if why:
            raise InputError(
                f"the Dockerfile holds what no template of ours makes: {name} {rest[:80]}".rstrip(),
                where=f"{where}:{number}",
                why=why,
                fix="render it anew (`make render`), and find out what changed it",
            )


def _instructions(text: str) -> Iterator[tuple[int, str, str]]:
    """Each instruction with its line, its lines joined, comments left out as the engine does."""
    begun, joined = 0, ""
    for number, line in enumerate(text.split("\n"), 1):
        if bad := next((char for char in line if _control(char)), ""):
            yield number, repr(bad), ""
        bare = line.strip()
        if bare.startswith("#"):
            if _DIRECTIVE.match(bare):
                yield number, "#", bare[1:]
            continue
        if not bare:
            continue
        begun = begun or number
        joined += bare.removesuffix("\\")
        if bare.endswith("\\"):
            continue
        name, _, rest = joined.partition(" ")
        yield begun, name, rest.strip()
        begun, joined = 0, ""
    if joined:
        yield begun, joined.partition(" ")[0], "\\"


def _fault(name: str, rest: str, stages: set[str], contexts: Collection[str]) -> str:
    """Why an instruction is not ours, "" where it is; a stage that it begins is put to `stages`."""
    if name == "FROM":
        return _from(rest.split(), stages)
    if name == "RUN":
        return _run(rest, {*contexts, *stages})
    if name == "COPY":
        return _copy(rest.split(), stages)
    if name == "ARG":
        return "" if rest == "MAX_JOBS" else "the only argument of a build is MAX_JOBS"
    if name in _PLAIN or (name == "USER" and _USER.fullmatch(rest)):
        return "" if rest and not rest.endswith("\\") else "nothing follows it"
    return f"templates write FROM, RUN, COPY, ARG, {', '.join(_PLAIN[:-1])} and {_PLAIN[-1]} alone"


def _from(words: list[str], stages: set[str]) -> str:
    known = words and (words[0] == "scratch" or words[0] in stages or _BASE.fullmatch(words[0]))
    if not known:
        return "a stage begins from a base of ours, an earlier stage or nothing, or the engine would ask a registry"
    if len(words) == 1:
        return ""
    if len(words) != 3 or words[1] != "AS" or not re.fullmatch(r"[a-z0-9][a-z0-9.-]*", words[2]):
        return "a stage is written FROM NAME AS STAGE"
    stages.add(words[2])
    return ""


def _run(rest: str, contexts: Collection[str]) -> str:
    if "<<" in rest:
        return "it holds a here-document"
    while rest.startswith("--"):
        flag, _, rest = rest.partition(" ")
        rest = rest.strip()
        fields = dict(part.partition("=")[::2] for part in flag.removeprefix("--mount=").split(","))
        kind = fields.get("type", "bind")
        if not flag.startswith("--mount=") or set(fields) != _MOUNTS.get(kind):
            return f"{flag} is no mount of ours"
        if kind == "bind" and fields["from"] not in contexts:
            return f"{fields['from']} is no context of this build, so the engine would ask a registry for it"
        if kind == "cache" and not fields["id"].startswith("modelstacks-"):
            return f"{fields['id']} is no cache of ours"
    return ""


def _copy(words: list[str], stages: set[str]) -> str:
    flags = [word for word in words if word.startswith("--")]
    places = words[len(flags) :]
    origin = [flag.removeprefix("--from=") for flag in flags if flag != "--link"]
    if len(origin) != 1 or origin[0] not in stages:
        return "files are copied from an earlier stage of this build alone"
    if len(places) != 2 or any(place.startswith("--") or "<<" in place for place in places):
        return "one path is copied to another"
    return ""
