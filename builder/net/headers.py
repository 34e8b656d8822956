"""What an answer says: its headers, and the body of a short one."""

from __future__ import annotations

import email.utils
import re
import time

import requests

from builder.errors import JobError
from builder.net.urls import clean_url

_PAGE_LIMIT = 128 << 20  # bytes of one page; the longest index pages seen are about 30 MB
_PIECE = 1 << 18  # bytes
_CHARSETS = {"ascii", "us-ascii", "iso-8859-1", "latin-1", "windows-1252"}  # all others are read as utf-8


def decoded(data: bytes, charset: str | None) -> str:
    """The text of a page. The names of other charsets reach codecs that are no text's, or whose work is unbounded."""
    known = (charset or "").lower() in _CHARSETS
    return data.decode(charset if charset and known else "utf-8", errors="replace")


def first_byte(response: requests.Response) -> int:
    found = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    return int(found[1]) if found else -1


def seconds(retry_after: str) -> float | None:
    """Retry-After in seconds: it is a number or a date; None when it is neither."""
    if re.fullmatch(r"\d{1,9}", retry_after.strip()):
        return float(retry_after)
    try:
        return max(email.utils.parsedate_to_datetime(retry_after).timestamp() - time.time(), 0.0)
    except (TypeError, ValueError):
        return None


def whole(response: requests.Response, url: str) -> bytes:
    """The body of a page. Raises JobError where it is longer than pages are, what requests does where it breaks off."""
    data = bytearray()
    for piece in response.iter_content(_PIECE):
        data += piece
        if len(data) > _PAGE_LIMIT:
            raise JobError(f"the page is longer than {_PAGE_LIMIT} bytes", where=clean_url(url))
    return bytes(data)
