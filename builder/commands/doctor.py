"""The verb doctor."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from builder.commands._common import OFFLINE, STACKS, Run, Verb
from builder.errors import InputError, JobError, SurroundingsError

if TYPE_CHECKING:
    from builder.doctor import Part
    from builder.failures.text import Format


@click.command(cls=Verb)
@STACKS
@click.option(
    "--save-root",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A new file for the roots that are presented and not trusted, to show to your administrator.",
)
@click.option("--only", type=click.Choice(["host", "network"]), help="One part; the host part asks no network.")
@click.option("--fix", is_flag=True, help="Do first what is safe to do on this machine, and say so.")
@click.option("--container", default="", metavar="NAME", help="Look into a running container, whoever built it.")
@click.option(
    "--report", type=click.Path(dir_okay=False, path_type=Path), help="With --container: write a Markdown report too."
)
@click.option("--log", default="", metavar="FILE", help="A log of a build, an install or a run; - for standard input.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "markdown"]),
    default="text",
    show_default=True,
    help="With --log: text for a terminal, or Markdown for pasting into an issue.",
)
@OFFLINE
@click.pass_obj
def command(
    run: Run,
    stacks: tuple[str, ...],
    save_root: Path | None,
    only: Part | None,
    fix: bool,
    container: str,
    report: Path | None,
    log: str,
    form: Format,
    offline: bool,
) -> int | None:
    """Say what is wrong with this machine and the network, and the settings in force; or with a container or a log.

    A container is only looked at: nothing in it is changed. With --log the result is on stdout, and the exit code is
    1 where an error was found in it, 0 where none was.
    """
    if log:
        return _doctor_log(run, log, form, alone=not (stacks or save_root or only or fix or container or report))
    if form != "text":
        raise InputError("--format goes with --log", fix="doctor --log FILE --format markdown")
    if container or report:
        alone = not (stacks or save_root or only or fix)
        _doctor_container(run, container if alone else "", report)
        return None
    from builder.doctor import PARTS
    from builder.doctor.examine import doctor as examine

    parts = [part for part in PARTS if only in (None, part) and not (offline and part == "network")]
    found = examine(run.stacks.named(stacks, "all"), run.settings, run.ui, parts=parts, fix=fix, save_root=save_root)
    found.show(run.ui)
    run.ui.document(found.document())
    if found.bad:
        count = f"{len(found.bad)} check{' is' if len(found.bad) == 1 else 's are'} bad"
        raise SurroundingsError(count, fix="do what is said above, then ask again")
    return None


def _doctor_log(run: Run, name: str, form: Format, *, alone: bool) -> int:
    from builder.doctor.log import examine_log

    if not alone:
        raise InputError("--log goes alone", fix="doctor --log FILE")
    found = examine_log(name, run.ui)
    run.ui.result(found.text(form))
    run.ui.document(found.document())
    return 1 if found.reading.failed else 0


def _doctor_container(run: Run, name: str, report: Path | None) -> None:
    from builder.doctor.container import doctor_container
    from builder.net.tls import site_certificates

    if not name:
        raise InputError("--container goes with --report alone", fix="doctor --container NAME [--report FILE.md]")
    found = doctor_container(name, run.ui, site_certificates(run.settings))
    found.show(run.ui)
    if report:
        found.write(report)
    run.ui.document(found.document())
    if found.errors:
        one = len(found.errors) == 1
        problem = f"{len(found.errors)} thing{' does' if one else 's do'} not work in the container {name}"
        raise JobError(problem, fix=found.errors[0].fix)
