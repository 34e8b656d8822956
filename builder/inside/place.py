"""Where programs run: in a container, or on this machine."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from builder.engine.endpoint import Endpoint
from builder.inside import bounded, execute
from builder.inside.bounded import Said

_ENGINE_SECONDS = 60.0  # for an answer of the engine about a program, beside the program's own time


@dataclass(frozen=True, kw_only=True)
class Place:
    """A container of an engine (endpoint, container), else this machine, in a folder ("": the caller's).

    python: the interpreter of probes. options: its options. environment: variables beside those that are there.
    group: on this machine, whether what runs has a process group of its own. user: of a container, "" for its own.
    """

    python: str
    environment: dict[str, str] = field(default_factory=dict)
    endpoint: Endpoint | None = None
    container: str = ""
    folder: str = ""
    options: tuple[str, ...] = ("-B",)
    group: bool = True
    user: str = ""

    @property
    def backend(self) -> str:
        """The place as testinfra names it."""
        return f"docker://{self.container}" if self.container else "local://"

    def run(self, words: Sequence[str], *, seconds: float, limit: int, stdin: bytes = b"") -> Said:
        """Run a program; in a container from its root folder, so that no working folder helps imports.

        Raises OSError where this machine cannot start it; in a container that is a code, as its shell would give.
        """
        if self.endpoint:
            client = self.endpoint.client(_ENGINE_SECONDS)
            bounds: dict[str, Any] = {"seconds": seconds, "limit": limit, "stdin": stdin}
            return execute.run(client, self.container, words, **bounds, env=self.environment, user=self.user)
        return bounded.run(
            words,
            seconds=seconds,
            limit=limit,
            stdin=stdin,
            env={**os.environ, **self.environment},
            folder=self.folder or None,
            group=self.group,
        )
