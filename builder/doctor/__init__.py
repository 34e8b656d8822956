"""Doctor: what keeps this machine from doing its job, check by check, each with the one thing to do.

examine.py looks at this machine and the network, log.py at a log, container/ at a running container; each is imported
where it is asked for, as a log alone needs none of the rest.
"""

from __future__ import annotations

from typing import Literal

__all__ = ["PARTS", "Part"]

Part = Literal["host", "network"]
PARTS: tuple[Part, ...] = ("host", "network")
