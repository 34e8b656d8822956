"""Files of Hugging Face repositories, from the site's mirror of it where it has one."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

from builder.errors import InputError
from builder.net.urls import clean_url, quoted
from builder.origin import Origin

ENDPOINT = "https://huggingface.co"


def address(origin: Origin) -> str:
    """The https address of a weight's origin: itself, or of one on Hugging Face the file at HF_ENDPOINT.

    Raises InputError where HF_ENDPOINT is no https address, or the origin is neither.
    """
    if origin.scheme == "https":
        return origin.place
    if origin.scheme != "hf":
        raise InputError(f"a weight cannot come from {origin}", fix="run `make lock`")
    endpoint = os.environ.get("HF_ENDPOINT", "").rstrip("/") or ENDPOINT
    if not endpoint.startswith("https://") or not urlsplit(endpoint).hostname:
        fix = "export HF_ENDPOINT=https://HOST, or unset it"
        raise InputError("HF_ENDPOINT is not an https address", where=clean_url(endpoint), fix=fix)
    return f"{endpoint}/{origin.place}/resolve/{origin.revision}/{quoted(origin.path)}"
