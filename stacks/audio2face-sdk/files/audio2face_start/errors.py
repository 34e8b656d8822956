"""What can go wrong, by exit code: 1 a step failed, 2 what was given is wrong, 3 the container lacks something."""

from __future__ import annotations


class StartError(Exception):
    """A failure with the one thing to do about it; 1: a step failed."""

    exit_code = 1

    def __init__(self, problem: str, fix: str) -> None:
        super().__init__(problem)
        self.fix = fix

    def __str__(self) -> str:
        """One line: `problem. Fix: fix`."""
        return f"{self.args[0]}. Fix: {self.fix}"


class InputError(StartError):
    """What the user gave is wrong or not whole."""

    exit_code = 2


class SurroundingsError(StartError):
    """The container lacks a GPU, a folder or a program."""

    exit_code = 3
