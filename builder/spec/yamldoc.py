"""One YAML file as plain values, and the line and original text of each of them.

Hostile input is expected: no anchors, aliases, merge keys, tags or second document, and limits on size and depth.
"""

from __future__ import annotations

import errno
import re
from dataclasses import dataclass
from pathlib import Path

import yaml

from builder.errors import InputError
from builder.files import read_bounded
from builder.plain import UNSEEN

MAX_BYTES = 1 << 20  # the largest shipped stack file has 9 kB
MAX_DEPTH = 20  # a recursive parser is not to be fed more
MAX_NUMBER = 100  # characters; computing a longer one can take Python minutes

Keys = tuple[str | int, ...]
_HIDING = re.compile(f"[{UNSEEN}]")
_FAST = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml's; PyYAML may be built without it


@dataclass(frozen=True, kw_only=True)
class Spot:
    """Where a value stands: its line (that of its key, counted from 1) and its text as written ("" if not a scalar)."""

    line: int
    text: str


@dataclass(frozen=True, kw_only=True)
class Document:
    """A file's values: mappings as dict, sequences as tuple, scalars as YAML 1.1 reads them.

    shown: the path as messages name it. source: the bytes of the file. spots: by keys and positions from the root,
    which is ().
    """

    shown: str
    source: bytes
    value: object
    spots: dict[Keys, Spot]

    def where(self, keys: Keys) -> str:
        """FILE:LINE of a value, or of the nearest part of the file that would hold it."""
        while keys not in self.spots:
            keys = keys[:-1]
        return f"{self.shown}:{self.spots[keys].line}"


def shown(path: Path) -> str:
    """A path as messages name it: relative to the current folder if below it, else absolute."""
    path = path.absolute()
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def read(path: Path) -> Document:
    """The one document of a YAML file. Raises InputError with file:line, reason and fix."""
    name = shown(path)
    data = _bytes(path, name)
    text = _text(data, name)
    try:
        return _document(_FAST(text), name, data)
    except yaml.YAMLError:
        pass  # PyYAML's own reader says what is wrong in the words that _ADVICE knows
    try:
        return _document(yaml.SafeLoader(text), name, data)
    except yaml.MarkedYAMLError as error:
        raise _syntax_error(name, error) from None


def _document(loader: yaml.SafeLoader, name: str, data: bytes) -> Document:
    try:
        return _Reading(name, loader).document(data)
    finally:
        loader.dispose()


def _bytes(path: Path, name: str) -> bytes:
    try:
        data = read_bounded(path, MAX_BYTES)
    except OSError as error:
        if error.errno == errno.EFBIG:
            fix = "a stack file is a page of text; cut it"
            raise InputError("the file is larger than 1 MiB", where=name, fix=fix) from None
        raise InputError(
            "the file cannot be read", where=name, why=error.strerror or "", fix="check its path and rights"
        ) from None
    return data


def _text(data: bytes, name: str) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError("the file is not UTF-8 text", where=f"{name}:{line}", fix="save it as UTF-8") from None
    if bad := yaml.reader.Reader.NON_PRINTABLE.search(text):
        line = text.count("\n", 0, bad.start()) + 1
        raise InputError(
            f"a control character (U+{ord(bad.group()):04X}) is in the file",
            where=f"{name}:{line}",
            why="a stack file is plain text",
            fix="delete the character",
        )
    return text


_ADVICE = (
    (r"'\t'", "a tab is used as indentation", "", "indent with spaces"),
    (
        "mapping values are not allowed here",
        "a second ':' is on the line, or the line is indented too far",
        "",
        "put the text after the first ':' in quotes, or indent the line like the key above it",
    ),
    (
        "could not find expected ':'",
        "a key has no ':' after it",
        "",
        "write `key: value`; indent or quote a text that goes on over several lines",
    ),
    ("found unexpected end of stream", "a quote is opened and never closed", "", "close it on the same line"),
    ("cannot start any token", "", "", "put the text in quotes"),
)


def _syntax_error(name: str, error: yaml.MarkedYAMLError) -> InputError:
    said = error.problem or "unreadable"
    at_end = "end of stream" in said or "stream end" in said  # then what was opened says more than where the file ends
    mark = (error.context_mark if at_end else None) or error.problem_mark
    where = f"{name}:{mark.line + 1}" if mark else name
    for part, problem, why, fix in _ADVICE:
        if part in said:
            return InputError(problem or f"not YAML: {said}", where=where, why=why, fix=fix)
    return InputError(
        f"not YAML: {said}",
        where=where,
        why=error.context or "",
        fix="check indentation, brackets and quotes on this line and the one before",
    )


class _Reading:
    """One reading of one file, from PyYAML's events to values."""

    def __init__(self, name: str, loader: yaml.SafeLoader) -> None:
        self._name = name
        self._loader = loader
        self._spots: dict[Keys, Spot] = {}

    def document(self, source: bytes) -> Document:
        """The file's only document. source: its bytes."""
        self._take()  # the start of the stream
        if isinstance(self._peek(), yaml.StreamEndEvent):
            raise self._error(0, "the file is empty", "", "write at least the keys the schema requires")
        self._take()
        value = self._value((), None)
        self._take()
        if not isinstance(after := self._peek(), yaml.StreamEndEvent):
            raise self._error(
                _line(after), "a second document starts here", "a file holds one", "delete the `---` line"
            )
        return Document(shown=self._name, source=source, value=value, spots=self._spots)

    def _take(self) -> yaml.Event:
        event: yaml.Event = self._loader.get_event()  # type: ignore[no-untyped-call]
        return event

    def _peek(self) -> yaml.Event:
        event: yaml.Event = self._loader.peek_event()  # type: ignore[no-untyped-call]
        return event

    def _error(self, line: int, problem: str, why: str, fix: str) -> InputError:
        return InputError(problem, where=f"{self._name}:{line + 1}", why=why, fix=fix)

    def _plain(self, event: yaml.Event) -> None:
        """Refuse what makes one text stand for another."""
        line = _line(event)
        if isinstance(event, yaml.NodeEvent) and event.anchor is not None:
            alias = isinstance(event, yaml.AliasEvent)
            raise self._error(
                line,
                f"{'*' if alias else '&'}{event.anchor} is a YAML {'alias' if alias else 'anchor'}",
                "a stack file says each thing where it is read",
                "write the value out, or put a text that starts with it in quotes",
            )
        if isinstance(event, (yaml.ScalarEvent, yaml.CollectionStartEvent)) and event.tag is not None:
            tag = event.tag.replace("tag:yaml.org,2002:", "!!")
            raise self._error(line, f"{tag} is a YAML tag", "tags are not used here", "leave it out")

    def _value(self, keys: Keys, line: int | None) -> object:
        event = self._take()
        self._plain(event)
        if len(keys) > MAX_DEPTH:
            raise self._error(
                _line(event),
                f"nested deeper than {MAX_DEPTH} levels",
                "",
                "no part of a stack is that deep; flatten it",
            )
        text = event.value if isinstance(event, yaml.ScalarEvent) else ""
        self._spots[keys] = Spot(line=(_line(event) if line is None else line) + 1, text=text)
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event)
        return self._sequence(keys) if isinstance(event, yaml.SequenceStartEvent) else self._mapping(keys)

    def _sequence(self, keys: Keys) -> tuple[object, ...]:
        items: list[object] = []
        while not isinstance(self._peek(), yaml.SequenceEndEvent):
            items.append(self._value((*keys, len(items)), None))
        self._take()
        return tuple(items)

    def _mapping(self, keys: Keys) -> dict[str, object]:
        items: dict[str, object] = {}
        while not isinstance(self._peek(), yaml.MappingEndEvent):
            key, line = self._key()
            here = (*keys, key)
            if key in items:
                first = f"it is first at {self._name}:{self._spots[here].line}"
                raise self._error(line, f"key `{key}` is there twice", first, "keep one of the two")
            items[key] = self._value(here, line)
        self._take()
        return items

    def _key(self) -> tuple[str, int]:
        event = self._take()
        line = _line(event)
        self._plain(event)
        if not isinstance(event, yaml.ScalarEvent):
            why = "a text that starts with { or [ opens a mapping or a list"
            raise self._error(line, "a key is not a text", why, "put the text in quotes")
        if event.implicit[0] and event.value == "<<":
            why = "a stack extends its family and nothing else"
            raise self._error(line, "<< is a YAML merge key", why, "write the values out")
        key = self._scalar(event)
        if not isinstance(key, str):
            problem = f"key `{event.value}` reads as {readable(key)}"
            raise self._error(line, problem, "a key is a text", f'write "{event.value}":')
        return key, line

    def _scalar(self, event: yaml.ScalarEvent) -> object:
        if hiding := _HIDING.search(event.value):
            problem = f"a text holds U+{ord(hiding[0]):04X}, which is not seen and can make it read as another"
            raise self._error(_line(event), problem, "", "write the text without it")
        tag: str = self._loader.resolve(yaml.ScalarNode, event.value, event.implicit)  # type: ignore[no-untyped-call]
        if tag in ("tag:yaml.org,2002:value", "tag:yaml.org,2002:merge"):
            return event.value
        try:
            if tag != "tag:yaml.org,2002:str" and len(event.value) > MAX_NUMBER:
                raise ValueError("too long")
            value: object = self._loader.construct_object(yaml.ScalarNode(tag, event.value))
        except (ValueError, OverflowError):
            problem = f"{event.value[:40]} looks like a number or a date and is none"
            raise self._error(_line(event), problem, "", "put it in quotes") from None
        return value


def _line(event: yaml.Event) -> int:
    return event.start_mark.line if event.start_mark else 0


def readable(value: object) -> str:
    """A value that is no text, in words: `the number 3.1`, `true`, `nothing`, `a list`."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return f"the number {value}"
    if isinstance(value, tuple):
        return "a list"
    if isinstance(value, dict):
        return "a mapping"
    return "text" if isinstance(value, str) else "a date"
