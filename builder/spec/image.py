"""The name of an image in a registry."""

from __future__ import annotations

import re
from typing import Annotated

from builder.spec.text import Text, refuse

_PART = r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*"  # of an image's name


def _image(value: str) -> str:
    if "@" in re.sub(r"@sha256:[0-9a-f]{64}$", "", value):
        raise refuse("it holds an `@` that is not of a digest", "leave a login out; the site's tokens hold them")
    return value


ImageReference = Annotated[
    str,
    Text(
        r"^(?=[^@]{1,255}(@|$))([a-z0-9]([a-zA-Z0-9.-]*[a-zA-Z0-9])?(:[0-9]{1,5})?/)?"
        rf"{_PART}(/{_PART})*(:[A-Za-z0-9_][A-Za-z0-9._-]{{0,127}})?(@sha256:[0-9a-f]{{64}})?$",
        "an image reference (REGISTRY/NAME:TAG, or with @sha256:…)",
        "nvidia/cuda:12.9.1-base-ubuntu24.04",
        _image,
    ),
]
