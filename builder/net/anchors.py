"""The links of a page of HTML, in one pass: work grows as the page does, whatever is in it.

The standard library's parser looks through the rest of the page again for every open tag, quote or comment: one
megabyte of `<a ` takes it minutes. A parser in C would work, in memory of its own, on what a server wrote. All that is
needed here is <base> and <a>.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape

LONGEST = 8000  # characters of an address: what RFC 9110 asks servers and clients to take at least
_TEXT_ONLY = ("script", "style", "title", "textarea", "xmp", "iframe", "noembed", "noframes", "plaintext")
_OPEN = re.compile(rf"<(?:(!--)|(a|base|{'|'.join(_TEXT_ONLY)})(?=[\s/>]))", re.IGNORECASE)
# Each piece begins where the one before ended and takes what it looked at, so none is looked at twice.
_ATTRIBUTE = re.compile(
    r"""[\s/]*(=?[^\s/>=]+|=)(?:\s*=\s*(?:"([^"]*)("|\Z)|'([^']*)('|\Z)|([^\s>"'][^\s>]*)?))?""", re.DOTALL
)
_END = re.compile(r"[\s/]*>")


def tags(text: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Each <a> and <base> of a page in order: its name and its attributes, names in lower case, the first one counts.

    What stands in comments, scripts and other text-only elements is none. A page that ends inside of any of these,
    or inside of a tag, ends there. Attributes that are longer than LONGEST are left out.
    """
    place = 0
    while found := _OPEN.search(text, place):
        name = (found[2] or "").lower()
        if name in ("a", "base"):
            attributes: dict[str, str] = {}
            place = _read(text, found.end(), attributes)
            if place < 0:
                return
            yield name, attributes
            continue
        # From the first dash on, as <!--> is a whole comment.
        end = re.compile(rf"</{name}(?=[\s/>])" if name else "-->", re.IGNORECASE).search(text, found.end() - 2)
        if not end:
            return
        place = end.end()


def _read(text: str, place: int, attributes: dict[str, str]) -> int:
    """Take the attributes of the tag whose name ends at a place; gives where the tag ends, -1 if it never does."""
    while not (end := _END.match(text, place)):
        found = _ATTRIBUTE.match(text, place)
        if not found or (found[3] == "" or found[5] == ""):  # the page ends in a quote
            return -1
        value = found[2] or found[4] or found[6] or ""
        if len(value) <= LONGEST and len(found[1]) <= LONGEST:
            attributes.setdefault(found[1].lower(), _plain(value))
        place = found.end()
    return end.end()


def _plain(value: str) -> str:
    try:
        return unescape(value)
    except ValueError:  # a character reference of more digits than Python turns into a number
        return ""
