"""What was found in an input, before anything is decided, and what a decision is. No IO here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from builder.plain import plain

Kind = Literal["kept", "moved", "added", "changed", "left out", "yours"]
LONGEST = 300  # characters of another's text that are shown


def short(text: str) -> str:
    """Another's text as it may stand in a table or a comment: on one line, nothing unseen, not too long."""
    return " ".join(plain(text[: 4 * LONGEST]).split())[:LONGEST]


def fits(kind: Any, text: str) -> bool:  # noqa: ANN401 - one of spec.text
    """Whether a text is of a kind that stack files hold."""
    try:
        TypeAdapter(kind).validate_python(text)
    except ValidationError:
        return False
    return True


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What became of one thing. into: the key of stack.yaml that it stands at now, "" for none. where: FILE:LINE.

    kind: `moved` to a key of its own, `changed` to something else, `added` because of something, `left out`, or
    `yours`: nothing was decided, and a comment stands at its place. why: the fact, with its source.
    """

    kind: Kind
    what: str
    into: str = ""
    why: str = ""
    where: str = ""

    def row(self) -> list[str]:
        """As a table shows it."""
        kind = f"{self.kind} ({self.into})" if self.into and self.kind != "kept" else self.kind
        return [short(self.what), kind, short(self.why), short(self.where)]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A requirement, or something else of one word, and where it stands. url: of a requirement that names its own."""

    text: str
    where: str
    url: str = ""


@dataclass(frozen=True, kw_only=True)
class Compiled:
    """A setup.py that compiles. folder: below the repository, "" for its root. modules: the shared objects it makes."""

    name: str
    folder: str
    modules: tuple[str, ...]
    cuda: bool
    where: str


@dataclass
class Found:
    """Everything that an input says. pages: `extra-index-url`, `index-url` or `find-links` and the address.

    python, cuda: versions that are asked for. source: the git address and commit of a repository.
    """

    asked: list[Asked] = field(default_factory=list)
    constraints: list[Asked] = field(default_factory=list)
    pages: list[tuple[str, Asked]] = field(default_factory=list)
    python: list[Asked] = field(default_factory=list)
    cuda: list[Asked] = field(default_factory=list)
    system: list[Asked] = field(default_factory=list)
    env: dict[str, Asked] = field(default_factory=dict)
    git: list[Asked] = field(default_factory=list)
    compiled: list[Compiled] = field(default_factory=list)
    weights: list[Asked] = field(default_factory=list)
    imported: dict[str, str] = field(default_factory=dict)
    decisions: list[Decision] = field(default_factory=list)
    source: tuple[str, str] = ("", "")
    glibc: str = ""
