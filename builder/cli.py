"""The command line: the options of every verb, and every way out. The verbs are in builder/commands/.

Exit codes: 0 done, 1 the job failed, 2 the input is wrong, 3 the surroundings lack something, 130 Ctrl-C.
"""

from __future__ import annotations

import errno
import io
import os
import re
import signal
import sys
from base64 import b64encode
from collections.abc import Callable
from importlib import import_module
from typing import TextIO
from urllib.parse import quote

import click

from builder import __version__
from builder.commands import verbs
from builder.commands._common import Given, everywhere
from builder.errors import InputError, InputErrors, JobError, ModelstacksError, SurroundingsError
from builder.ui import Ui

# Variables whose values are no one's business, and how long such a value is at least.
_SECRET, _SHORTEST = re.compile(r"(?i)token|secret|passw|credential|_key$|auth"), 6
_LINES, _LINE = 60, 500  # of a traceback


class Program(click.Group):
    """A group whose commands are imported when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all verbs."""
        return list(verbs())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """A verb by its name, None for no such verb."""
        if cmd_name not in verbs():
            return None
        command: click.Command = import_module(verbs()[cmd_name]).command
        command.name = cmd_name
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read what stands before the verb. Raises UsageError for an option of a verb, with the verbs that take it."""
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            takers = [verb for verb in verbs() if error.option_name in _options(self.get_command(ctx, verb))]
            if not takers:
                raise
            message = f"{error.option_name} stands after the verb: {', '.join(takers)}."
            raise click.UsageError(message, ctx) from None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The verb that is asked for. Raises NoSuchCommand, which names the nearest, for none."""
        if args[0] not in verbs() and not args[0].startswith("-") and not ctx.resilient_parsing:
            raise click.exceptions.NoSuchCommand(args[0], possibilities=verbs(), ctx=ctx)
        return super().resolve_command(ctx, args)


def _options(command: click.Command | None) -> list[str]:
    return [word for parameter in command.params for word in parameter.opts] if command else []


@click.group(cls=Program, params=everywhere(), context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="modelstacks")
def program() -> None:
    """Reproducible GPU container images, one per model stack: fetched once, verified always, built without a
    network, proved on the GPU. --json, --stacks and --set may stand before the verb or after it."""


def main() -> None:
    """Run the command line; every way out is one of the exit codes above."""
    ui = Ui()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # whatever a terminal can show
    os.umask(os.umask(0o077) & 0o077)  # what a run writes it has to read again, whatever else is kept from others
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as under nohup
        signal.signal(signal.SIGHUP, signal.default_int_handler)
    sys.exit(_guarded(lambda: program.main(prog_name="modelstacks", standalone_mode=False, obj=Given(ui)), ui))


def _guarded(work: Callable[[], object], ui: Ui) -> int:
    try:
        code = work()
        return code if isinstance(code, int) else 0
    except ModelstacksError as error:
        ui.error(error)
        found = error.errors if isinstance(error, InputErrors) else [error]
        ui.document({"errors": [one.document() for one in found], "exit": error.exit_code})
        return error.exit_code
    except click.ClickException as error:
        said = io.StringIO()
        error.show(said)
        ui.say(said.getvalue().rstrip("\n"))
        return 2
    except (KeyboardInterrupt, click.Abort):
        ui.warn("stopped; what is finished is kept, the same command goes on from there")
        return 130
    except BrokenPipeError:
        _close(sys.stdout)
        return 1
    except Exception as error:
        return _unusable(error, ui) if isinstance(error, (OSError, UnicodeEncodeError)) else _defect(error, ui)


def _unspeakable(error: UnicodeEncodeError) -> InputError:
    """A name or value whose bytes are not UTF-8 reached what takes text alone."""
    problem = f"{error.object[:200]!r} is not text"
    return InputError(problem, why="its bytes are not UTF-8", fix="give it, or rename it, in UTF-8")


def _refused(error: OSError) -> SurroundingsError:
    """What the system refuses, a full disk or a folder that cannot be written, is of the surroundings."""
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    return SurroundingsError(
        "the disk is full" if full else "a file or folder cannot be used",
        where=str(error.filename or "standard output or error"),
        why=error.strerror or str(error),
        fix="make room, then run again" if full else "check its owner and rights",
    )


def _unusable(error: OSError | UnicodeEncodeError, ui: Ui) -> int:
    said = _unspeakable(error) if isinstance(error, UnicodeEncodeError) else _refused(error)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            _close(stream)
    ui.error(said)
    ui.document({"errors": [said.document()], "exit": said.exit_code})
    return said.exit_code


def _defect(error: BaseException, ui: Ui) -> int:
    """What nobody foresaw is a fault of this program: told with where it is from, and with no secret in its words."""
    for line in _traced(error):
        ui.say(line)
    problem, fix = "this is a fault of modelstacks itself", "tell its maintainers, with the lines above"
    said = JobError(problem, why=_traced(error)[-1], fix=fix)
    ui.error(said)
    ui.document({"errors": [said.document()], "exit": said.exit_code})
    return said.exit_code


def _traced(error: BaseException) -> list[str]:
    """The last lines of a traceback, without logins, query values and the secrets of the environment."""
    import traceback  # noqa: PLC0415 - nobody needs it in a good run

    from builder.net.urls import clean_text  # noqa: PLC0415

    named = {value for name, value in os.environ.items() if _SECRET.search(name) and len(value) >= _SHORTEST}
    text = clean_text("".join(traceback.format_exception(error)))
    for form in {one for value in named for one in (value, quote(value, safe=""), b64encode(value.encode()).decode())}:
        text = text.replace(form, "***")
    text = re.sub(r"\b(Basic|Bearer)\s+[^\s'\"]+", r"\1 ***", text)
    return [line[:_LINE] for line in text.splitlines()[-_LINES:]]


def _close(stream: TextIO) -> None:
    """Let what a stream still holds go nowhere, so that its end raises nothing."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
