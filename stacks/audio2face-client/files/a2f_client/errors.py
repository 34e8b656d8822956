"""What can go wrong, by exit code: 1 the service failed, 2 the input is wrong, 3 the service cannot be reached."""

from __future__ import annotations


class ClientError(Exception):
    """A failure with the one thing to do about it; 1: the service failed while it was used."""

    exit_code = 1

    def __init__(self, problem: str, fix: str = "") -> None:
        super().__init__(problem)
        self.fix = fix

    def __str__(self) -> str:
        """One line: `problem. Fix: fix`."""
        return f"{self.args[0]}. Fix: {self.fix}" if self.fix else str(self.args[0])


class InputError(ClientError):
    """What the user gave is wrong."""

    exit_code = 2


class UnreachableError(ClientError):
    """Nothing answers at the address, or it is not the service."""

    exit_code = 3


def plain(text: str) -> str:
    """A text of the other side made fit for a terminal: one line, no control characters, at most 300 of them."""
    return "".join(char if char.isprintable() else " " for char in text[:300]).strip()
