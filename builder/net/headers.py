"""What the headers of an answer say."""

from __future__ import annotations

import email.utils
import re
import time

import requests

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
