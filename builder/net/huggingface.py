"""Files of Hugging Face repositories, from the site's mirror of it where it has one."""

from __future__ import annotations

import os
import re
from urllib.parse import urlsplit

from builder.errors import InputError
from builder.net.urls import clean_url, quoted

ENDPOINT = "https://huggingface.co"


def address(origin: str) -> str:
    """The https address of a weight's origin: itself, or for hf:OWNER/NAME@REVISION/PATH the file at HF_ENDPOINT.

    Raises InputError where HF_ENDPOINT is no https address, or the origin is neither.
    """
    if origin.startswith("https://"):
        return origin
    found = re.fullmatch(r"hf:([\w.-]+/[\w.-]+)@([0-9a-f]{40})/(.+)", origin)
    if not found:
        raise InputError("the lock gives a weight an origin that is none", why=origin[:200], fix="run `make lock`")
    endpoint = os.environ.get("HF_ENDPOINT", "").rstrip("/") or ENDPOINT
    if not endpoint.startswith("https://") or not urlsplit(endpoint).hostname:
        fix = "export HF_ENDPOINT=https://HOST, or unset it"
        raise InputError("HF_ENDPOINT is not an https address", where=clean_url(endpoint), fix=fix)
    return f"{endpoint}/{found[1]}/resolve/{found[2]}/{quoted(found[3])}"
