"""The one way in which a run ends early: a plain sentence and what to do."""

from __future__ import annotations


class Stop(SystemExit):
    """Ends the program with a message and exit status 1."""

    def __init__(self, text: str) -> None:
        super().__init__(f"liveportrait: {text}")
