"""What a server sends in the place of a file: a Git LFS pointer or a web page, told by its first bytes."""

from __future__ import annotations

import re

HEAD = 1024  # bytes that are looked at
# Source: Git LFS specification, "The Pointer".
_POINTER = re.compile(rb"version https://git-lfs\.github\.com/spec/v1\n")
# Source: WHATWG MIME Sniffing, "Identifying a resource with an unknown MIME type", without its shortest tags.
_PAGE = re.compile(
    rb"(\xef\xbb\xbf)?[\t\n\x0c\r ]*(<\?xml[^>]*>\s*)?"
    rb"(<!--|<(!doctype html|html|head|script|iframe|h1|div|table|style|title|body)[\s>])",
    re.IGNORECASE,
)


def foreign(start: bytes, filename: str) -> str:
    """What the first bytes of a file are, in words, where they cannot be those of a file of this name; else ""."""
    if _POINTER.match(start):
        return "a Git LFS pointer"
    if _PAGE.match(start) and not filename.lower().endswith((".html", ".htm", ".svg", ".xml")):
        return "a web page (to log in, perhaps)"
    return ""


def advice(what: str) -> str:
    """The one thing to do about it."""
    if "pointer" in what:
        return (
            "use the address that serves the file itself (with /resolve/ or /media/ in it), not the repository's entry"
        )
    return "open the address in a browser; sign in by ~/.netrc or a token for the host, or name a mirror that serves it"
