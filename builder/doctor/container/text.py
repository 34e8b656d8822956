"""Text that a container gave: cut to length, without control characters, fit for a terminal and for Markdown."""

from __future__ import annotations

import re
import unicodedata

LIMIT = 4000  # characters: a traceback fits, a flood does not
_PLAIN_PATH = re.compile(r"/[\w.+@~/-]*", re.ASCII)


def clean(text: str, limit: int = LIMIT) -> str:
    """The text without control and direction characters (line ends are kept), at most `limit` characters."""
    kept = "".join(char for char in text[:limit] if char == "\n" or unicodedata.category(char) not in _UNSEEN)
    return kept if len(text) <= limit else f"{kept}…"


def one_line(text: str) -> str:
    """Like `clean`, with a blank in place of each line end."""
    return clean(text).replace("\n", " ")


def plain_path(text: str) -> str:
    """An absolute path of plain characters, else "": paths stand in commands that people copy."""
    return text if len(text) < 1024 and _PLAIN_PATH.fullmatch(text) else ""


def last_line(text: str) -> str:
    """The last line that says something."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:500] if lines else ""


def markdown(text: str) -> str:
    """Text for a Markdown table cell or paragraph, with nothing in it obeyed."""
    return re.sub(r"([\\`*_\[\]<>|#&~!])", r"\\\1", text).replace("\n", " ")


_UNSEEN = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
