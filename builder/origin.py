"""Where a file of a lock is found, as one value: parsed, checked and written here alone. No IO here.

A lock may come from anyone, and an origin becomes an address, a path or a word of a command line, so every part is held
to a pattern that starts with a letter or digit: none can be an option, climb out of a folder, or begin a new line.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Literal, cast

Scheme = Literal["index", "archive", "git", "https", "hf", "member", "registry", "built"]

LONGEST = 2048  # characters of an origin
URL_PATTERN = r"https://[A-Za-z0-9.-]+(:[0-9]+)?(/[A-Za-z0-9._~%+@/=&?-]*)?"
FILE_NAME_PATTERN = r"[A-Za-z0-9][A-Za-z0-9._+!%~=@-]*"
COMMIT_PATTERN = r"[0-9a-f]{64}|[0-9a-f]{40}"
_PATH = r"(?!([^/]*/)*\.\.?(/|$))(?!.*//)[A-Za-z0-9._][A-Za-z0-9._/+@=:%~!-]*(?<!/)"

# Of each scheme, how it is written and what its parts may be.
_WRITTEN: dict[Scheme, str] = {
    "index": "index:{place}",
    "archive": "archive:{place}/{path}",
    "git": "git+{place}@{revision}",
    "https": "{place}",
    "hf": "hf:{place}@{revision}/{path}",
    "member": "member:{place}/{path}",
    "registry": "registry:{place}",
    "built": "built:{place}",
}
_NAME = r"[a-z0-9](?:[a-z0-9.-]{0,62}[a-z0-9])?"
_PLACE: dict[Scheme, str] = {
    "index": _NAME,
    "archive": r"[a-z][a-z-]*",
    "git": URL_PATTERN,
    "https": URL_PATTERN,
    "hf": r"[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*",
    "member": FILE_NAME_PATTERN,
    "registry": r"[A-Za-z0-9][A-Za-z0-9.-]*(:[0-9]+)?(/[A-Za-z0-9][A-Za-z0-9._-]*)+",
    "built": r"[0-9a-f]{64}",
}
_PARTS = ("place", "revision", "path")
_REVISION: dict[Scheme, str] = {"git": COMMIT_PATTERN, "hf": r"[0-9a-f]{40}"}


@dataclass(frozen=True)
class Origin:
    """Where a file is found, neutral of mirrors; `str()` is how a lock has it.

    scheme: what kind of place, and by it
    index: "index:default" or "index:NAME" (the project says which page);
    archive: "archive:debian/pool/main/…deb" (the site's mirror of that distribution serves it);
    git: "git+https://…@COMMIT" (archived by us); https: the address itself; hf: "hf:OWNER/NAME@REVISION/PATH";
    member: "member:ARCHIVE/PATH" (inside the archive of that file name); registry: "registry:HOST/NAME";
    built: "built:KEY" (compiled here, or at the site's mirror of what was).
    Raises ValueError, saying which part it is, for one that cannot be.
    """

    scheme: Scheme
    place: str
    revision: str = ""
    path: str = ""

    def __post_init__(self) -> None:
        """Hold every part to what it may be."""
        values = self.place, self.revision, self.path
        for part, value, pattern in zip(_PARTS, values, _held(self.scheme), strict=True):
            if not pattern.fullmatch(value):
                raise _refused(self.scheme, part, value)
        if len(str(self)) > LONGEST:
            raise ValueError(f"an origin has at most {LONGEST} characters, this one {len(str(self))}")

    def __str__(self) -> str:
        """As a lock has it."""
        return _WRITTEN[self.scheme].format(place=self.place, revision=self.revision, path=self.path)

    @classmethod
    @lru_cache(8192)  # stacks share most of their files
    def parse(cls, text: str) -> Origin:
        """The origin that a text says. Raises ValueError for a text that says none."""
        text = text[: LONGEST + 1]
        head, _, rest = text.partition(":")
        if head == "https":
            return cls("https", text)
        if head == "git+https":
            place, _, commit = text.removeprefix("git+").rpartition("@")
            return cls("git", place, commit)
        if head == "hf":
            place, _, end = rest.partition("@")
            revision, _, path = end.partition("/")
            return cls("hf", place, revision, path)
        if head in ("archive", "member"):
            place, _, path = rest.partition("/")
            return cls(cast(Scheme, head), place, path=path)
        if head in ("index", "registry", "built"):
            return cls(cast(Scheme, head), rest)
        raise ValueError(f"{_shown(text)} is not the origin of a file")


@cache
def _held(scheme: Scheme) -> tuple[re.Pattern[str], ...]:
    """What place, revision and path of a scheme may be."""
    path = _PATH if "{path}" in _WRITTEN[scheme] else ""
    return tuple(re.compile(one) for one in (_PLACE[scheme], _REVISION.get(scheme, ""), path))


def _refused(scheme: str, part: str, value: str) -> ValueError:
    if part == "revision" and value != "":
        return ValueError(f"{_shown(value)} is not a full commit (40 or 64 hex digits)")
    return ValueError(f"{_shown(value)} is not the {part} of an origin of the kind {scheme!r}")


def _shown(text: str) -> str:
    return repr(text if len(text) <= 200 else f"{text[:200]}…")


DEFAULT_INDEX = Origin("index", "default")
