"""The errors every room raises: what is wrong, where, why, and the one thing to do.

Each class fixes the exit code of the command line: 1 the job failed, 2 the input
is wrong, 3 the surroundings lack something (engine, network, GPU).
"""

from __future__ import annotations

from builder.plain import plain

_MOST = 20_000  # characters of a part: a compiler's last words fit, a flood does not


class ModelstacksError(Exception):
    """A failure a user can act on.

    problem: what is wrong, in one line. where: "file:line", a URL or a path, or "".
    why: the reason, if the problem does not say it. fix: the one thing to do.
    All four may hold words of others: they are kept as they may be shown.
    """

    exit_code = 1

    def __init__(self, problem: str, *, where: str = "", why: str = "", fix: str = "") -> None:
        self.problem, self.where, self.why, self.fix = (plain(part[:_MOST]) for part in (problem, where, why, fix))
        super().__init__(self.problem)

    def __str__(self) -> str:
        """One line: `where: problem: why. Fix: fix`, without the parts that are empty."""
        text = ": ".join(part for part in (self.where, self.problem, self.why) if part)
        return f"{text}. Fix: {self.fix}" if self.fix else text

    def document(self) -> dict[str, str]:
        """The error as a JSON-ready mapping."""
        return {"problem": self.problem, "where": self.where, "why": self.why, "fix": self.fix}


class JobError(ModelstacksError):
    """The job itself failed (a build, a smoke test, a download that was refused)."""

    exit_code = 1


class InputError(ModelstacksError):
    """What the user gave is wrong (a stack file, a lock, an argument)."""

    exit_code = 2


class InputErrors(InputError):
    """Several input errors found in one reading; `errors` holds them in file order."""

    def __init__(self, errors: list[InputError]) -> None:
        first = errors[0]
        super().__init__(first.problem, where=first.where, why=first.why, fix=first.fix)
        self.errors = errors

    def __str__(self) -> str:
        """One line per error."""
        return "\n".join(str(error) for error in self.errors)


def combined(errors: list[InputError]) -> InputError:
    """Several errors as one to raise; what two of them say alike is said once."""
    every = [one for error in errors for one in (error.errors if isinstance(error, InputErrors) else [error])]
    each = list({(one.where, one.problem): one for one in every}.values())
    return each[0] if len(each) == 1 else InputErrors(each)


class SurroundingsError(ModelstacksError):
    """The machine lacks something the job needs (an engine, a network, a GPU, disk)."""

    exit_code = 3


class Unreachable(SurroundingsError):
    """A server could not be asked: no name, no connection, no answer. Not: it refuses, or is not trusted."""
