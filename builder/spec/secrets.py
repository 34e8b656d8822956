"""Which variables are secrets, as their names say it."""

from __future__ import annotations

import re

_SECRET = re.compile(r"(^|_)(KEY|APIKEY|TOKEN|SECRET|PASSWORD|PASSWD|PAT)(_|$)", re.I)


def secret(name: str) -> bool:
    """Whether a variable is a secret by its name."""
    return bool(_SECRET.search(name))
