"""Text from anywhere as it may be shown: nothing unseen that moves or hides other words, no login of an address.

And text that is data: a JSON object, or nothing.
"""

from __future__ import annotations

import json
import re
from typing import Any

# What changes how other text is shown: directions, line ends that are none of ours, tags, halves of a character.
# Where a joiner or a soft hyphen stands in a stack file is the writer's affair.
UNSEEN = "\x80-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff\U000e0000-\U000e007f"
_OBEYED = re.compile(f"[\x00-\x08\x0b-\x1f\x7f\u200b-\u200f\u2060-\u206f{UNSEEN}]")
_LOGIN = re.compile(r"://[^/@\s]{1,2048}@")


def plain(text: str) -> str:
    """A text that may be shown: each character that a terminal obeys, or that hides others, is a `?`; no logins.

    Names of files, words of servers and programs, what a container says: none of them steers the terminal, and a login
    in an address is not shown, whoever wrote it.
    """
    return _LOGIN.sub("://***@", _OBEYED.sub("?", text.replace("\r\n", "\n")))


def json_object(text: str | bytes) -> dict[str, Any]:
    """The JSON object in a text, or the first one of its list; empty where there is none."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    if isinstance(value, list):
        value = value[0] if value else {}
    return value if isinstance(value, dict) else {}
