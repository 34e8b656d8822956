"""The command line: one command per verb, all thin; each calls its room and hands the result to the ui.

Exit codes: 0 done, 1 the job failed, 2 the input is wrong, 3 the surroundings lack something, 130 Ctrl-C.
Rooms are imported inside the commands, so that `--help` and completion stay quick.
"""

# ruff: noqa: PLC0415

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import click

from builder import __version__
from builder.errors import InputError, InputErrors, JobError, ModelstacksError, SurroundingsError
from builder.settings import Settings, load
from builder.ui import Ui, human_bytes

if TYPE_CHECKING:
    from builder.doctor import Part
    from builder.smoke import GpuMode
    from builder.spec import Stacks


@dataclass(frozen=True)
class Run:
    """What every command needs: the site's settings and the voice."""

    settings: Settings
    ui: Ui

    @cached_property
    def stacks(self) -> Stacks:
        """The stacks there are; scanned when first asked for, once."""
        from builder.spec import Stacks

        return Stacks(self.settings)


def _complete(_: click.Context, __: click.Parameter, incomplete: str) -> list[str]:
    """Stack names for shell completion."""
    from builder.spec import Stacks

    return [name for name in [*sorted(Stacks(load()).folders), "all"] if name.startswith(incomplete)]


STACKS = click.argument("stacks", nargs=-1, metavar="[STACK…]", shell_complete=_complete)
GPU = click.option(
    "--gpu",
    type=click.Choice(["auto", "none", "require"]),
    default="auto",
    show_default=True,
    help="auto: use one where the engine offers it; require: fail without one.",
)


OFFLINE = click.option(
    "--offline",
    is_flag=True,
    envvar="MODELSTACKS_OFFLINE",
    help="Ask no network: what is not here is an error that names it (also MODELSTACKS_OFFLINE=1).",
)


FROZEN = click.option(
    "--frozen",
    is_flag=True,
    envvar="MODELSTACKS_FROZEN",
    help="Refuse a lock with pending hashes instead of recording them (also MODELSTACKS_FROZEN=1).",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="modelstacks")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout; talk stays on stderr.")
@click.option(
    "--stacks",
    "folders",
    multiple=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A folder of your own stacks and families (also MODELSTACKS_STACKS).",
)
@click.option(
    "--set", "given", multiple=True, metavar="KEY=VALUE", help="A setting, over modelstacks.toml and the environment."
)
@click.pass_context
def program(context: click.Context, as_json: bool, folders: tuple[Path, ...], given: tuple[str, ...]) -> None:
    """Reproducible GPU container images, one per model stack: fetched once, verified always, built without a
    network, proved on the GPU."""
    ui: Ui = context.obj
    ui.as_json = ui.as_json or as_json
    settings = load(stacks=folders, given=given)
    if settings.tls == "hash-locked":
        ui.warn("tls = hash-locked: locked files may come over unverified TLS, held to their sha256 and size")
    os.environ.update(settings.engine_environment(os.environ))
    context.obj = Run(settings, ui)


@program.command("list")
@click.pass_obj
def list_(run: Run) -> None:
    """The stacks there are, how far each one is, and whether it runs on the GPU here."""
    from builder.overview import overview

    rows = overview(run.stacks.named((), "all"), run.settings)
    run.ui.table(
        "",
        ["stack", "family", "python", "cuda", "lock", "files", "fetched", "runs on this GPU", "what it is"],
        [
            [
                *(row.name, row.family, row.python, row.cuda or "-", row.lock),
                *(str(row.files), row.fetched, row.gpu, row.summary),
            ]
            for row in rows
        ],
    )
    run.ui.document({"stacks": [row.document() for row in rows]})


@program.command()
@STACKS
@click.option("--host", is_flag=True, help="Against this machine as well: driver, GPU, engine, disk, memory.")
@click.pass_obj
def check(run: Run, stacks: tuple[str, ...], host: bool) -> None:
    """Hold stacks and locks against known facts."""
    from builder.check.host import Here
    from builder.check.verb import examine

    here = Here.look(run.settings) if host else None
    found = {one.name: examine(one, here, run.ui) for one in run.stacks.named(stacks, "all")}
    wrong = sum(finding.level == "error" for findings in found.values() for finding in findings)
    documents = {name: [finding.document() for finding in findings] for name, findings in found.items()}
    run.ui.document({"stacks": documents, **(here.document() if here else {})})
    if wrong:
        raise InputError(f"{wrong} findings are errors", fix="do what the table says, then check again")
    if here and here.wrong:
        raise SurroundingsError(
            f"{here.wrong} findings are errors of this machine", fix="do what the tables say, then check again"
        )


@program.command()
@STACKS
@click.option("--upgrade", is_flag=True, help="Resolve anew instead of keeping what is locked.")
@click.option("--pending", is_flag=True, help="Leave what cannot be reached unresolved, for a later run.")
@click.pass_obj
def lock(run: Run, stacks: tuple[str, ...], upgrade: bool, pending: bool) -> None:
    """Resolve and lock every file by hash."""
    from builder.check.verb import require_lockable
    from builder.lock.verb import lock as write

    documents = []
    for one in run.stacks.named(stacks):
        require_lockable(one, run.ui)
        documents.append(write(one, run.settings, run.ui, upgrade=upgrade, partly=pending))
    run.ui.document({"locks": documents})


@program.command()
@STACKS
@click.option("--verify", is_flag=True, help="Hash every file again instead of trusting its size and time.")
@OFFLINE
@FROZEN
@click.pass_obj
def fetch(run: Run, stacks: tuple[str, ...], verify: bool, offline: bool, frozen: bool) -> None:
    """Bring every locked file here, verified; record hashes that are pending."""
    from builder.fetch.verb import bring

    documents = {
        one.name: bring(one, run.settings, run.ui, verify=verify, offline=offline, frozen=frozen).document()
        for one in run.stacks.named(stacks)
    }
    run.ui.document({"stacks": documents})


@program.command()
@STACKS
@click.pass_obj
def render(run: Run, stacks: tuple[str, ...]) -> None:
    """Write build/NAME/Dockerfile and its named contexts."""
    from builder.render.verb import write

    documents = {one.name: write(one, run.settings, run.ui) for one in run.stacks.named(stacks)}
    run.ui.document({"stacks": documents})


@program.command()
@STACKS
@OFFLINE
@FROZEN
@click.pass_obj
def build(run: Run, stacks: tuple[str, ...], offline: bool, frozen: bool) -> None:
    """Build images without a network.

    What a stack compiles is compiled once; its wheel may also come from the site's mirror (setting `built`).
    """
    from builder.build.verb import have
    from builder.engine.client import Engine

    loaded, engine = run.stacks.named(stacks), Engine.connect()
    documents = [have(one, run.settings, engine, run.ui, frozen=frozen, offline=offline).document() for one in loaded]
    run.ui.document({"images": documents})


@program.command()
@STACKS
@GPU
@click.option("--image", default="", metavar="REF", help="Any image in the engine, in place of the stack's own.")
@click.option("--container", default="", metavar="NAME", help="A running container; nothing in it is changed.")
@click.option("--host", default="", metavar="local", help="This machine itself, without a container.")
@click.option("--checks", multiple=True, metavar="NAME,NAME", help="These smoke tests, in place of the stack's.")
@click.option("--python", default="", metavar="PATH", help="The target's interpreter (python3 without a stack).")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="The folder of the report.")
@click.pass_obj
def smoke(
    run: Run,
    stacks: tuple[str, ...],
    gpu: GpuMode,
    image: str,
    container: str,
    host: str,
    checks: tuple[str, ...],
    python: str,
    out: Path | None,
) -> None:
    """Run smoke tests inside the built images, or on another target.

    A target is held against the one stack that is named, or put to --checks alone.
    """
    from builder.engine.client import Engine
    from builder.smoke.asked import Asked
    from builder.smoke.verb import reports as prove

    named = run.stacks.named(stacks) if stacks or not (image or container or host) else []
    asked = Asked(stacks=named, image=image, container=container, host=host, checks=checks, python=python, out=out)
    reports = list(prove(asked, run.settings, Engine.connect, run.ui, gpu=gpu))
    run.ui.document({"reports": [report.document() for report in reports]})
    red = [report for report in reports if not report.green]
    if red:
        problem = "smoke tests failed" if any(report.failed for report in red) else "every smoke test was skipped"
        raise JobError(problem, where=", ".join(str(report.junit) for report in red), fix="see the tables above")


@program.command()
@STACKS
@GPU
@OFFLINE
@FROZEN
@click.pass_obj
def stack(run: Run, stacks: tuple[str, ...], gpu: GpuMode, offline: bool, frozen: bool) -> None:
    """Everything: lock where needed, fetch, build, smoke."""
    from builder.stack import make

    documents = [
        make(one, run.settings, run.ui, gpu=gpu, offline=offline, frozen=frozen).document()
        for one in run.stacks.named(stacks, "onnx-cpu")
    ]
    run.ui.document({"stacks": documents})


@program.command()
@STACKS
@click.pass_obj
def reproduce(run: Run, stacks: tuple[str, ...]) -> None:
    """Build twice from nothing and compare."""
    from builder.engine.client import Engine
    from builder.lock.existing import locked
    from builder.reproduce import reproduce as twice
    from builder.spec import built

    documents, differ = [], []
    loaded, engine = [built(one) for one in run.stacks.named(stacks)], Engine.connect()
    for one in loaded:
        report = twice(one, locked(one), run.settings, engine, run.ui)
        report.table(run.ui)
        documents.append(report.document())
        differ += [] if report.identical else [one.name]
    run.ui.document({"reports": documents})
    if differ:
        raise JobError(f"not reproducible: {', '.join(differ)}", fix="the table names the files that differ")


@program.command()
@STACKS
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Default: dist/NAME.bundle.tar.")
@click.option("--split", default="", metavar="SIZE", help="Parts of this size, such as 4G (powers of 1000).")
@click.option(
    "--base", type=click.Path(exists=True, path_type=Path), help="An earlier bundle; only what is new is exported."
)
@click.option("--python", default="", metavar="3.11", help="The Python of the other site, if it is not the one here.")
@OFFLINE
@click.pass_obj
def export(
    run: Run, stacks: tuple[str, ...], out: Path | None, split: str, base: Path | None, python: str, offline: bool
) -> None:
    """Write one bundle of the stacks and all they need.

    The same inputs give the same bytes.
    """
    from builder.bundle import export as write
    from builder.bundle import part_size

    loaded = run.stacks.named(stacks)
    path = out or Path("dist", f"{'+'.join(sorted(one.name for one in loaded))}.bundle.tar")
    size = part_size(split) if split else 0
    done = write(loaded, path, run.settings, run.ui, split=size, base=base, python=python, offline=offline)
    run.ui.say(f"{done.files[-1]}: {human_bytes(done.bytes)}, {done.members} files, id {done.id}")
    run.ui.document(done.document())


@program.command("import")
@click.argument("bundle", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--overwrite-stacks",
    is_flag=True,
    help="Replace stack files of other content, and remove own files that the bundle lacks.",
)
@click.pass_obj
def import_(run: Run, bundle: Path, overwrite_stacks: bool) -> None:
    """Verify a whole bundle, then put its files in place.

    BUNDLE is its file, its list of parts, one of its parts, or the folder that holds it. Stacks go to the last folder
    of --stacks, else to the checkout's own.
    """
    from builder.bundle import import_ as bring

    done = bring(bundle, run.settings, run.ui, overwrite_stacks=overwrite_stacks)
    run.ui.say(f"{', '.join(done.stacks)}: {len(done.placed)} files placed, {done.kept} were there, id {done.id}")
    run.ui.document(done.document())


@program.command()
@click.pass_obj
def engine(run: Run) -> None:
    """Have a container engine.

    Does nothing where a usable one answers; as root on Debian or Ubuntu it installs and starts one;
    elsewhere it says what to do.
    """
    from builder.engine.install import ensure

    run.ui.document(ensure(run.ui))


@program.command()
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
@OFFLINE
@click.pass_obj
def doctor(
    run: Run,
    stacks: tuple[str, ...],
    save_root: Path | None,
    only: Part | None,
    fix: bool,
    container: str,
    report: Path | None,
    log: str,
    offline: bool,
) -> None:
    """Say what is wrong with this machine and the network, and the settings in force; or with a container or a log.

    A container is only looked at: nothing in it is changed. With --log the exit code is 0, whatever is recognised.
    """
    if log:
        return _doctor_log(run, log, alone=not (stacks or save_root or only or fix or container or report))
    if container or report:
        alone = not (stacks or save_root or only or fix)
        return _doctor_container(run, container if alone else "", report)
    from builder.doctor import PARTS
    from builder.doctor import doctor as examine

    parts = [part for part in PARTS if only in (None, part) and not (offline and part == "network")]
    found = examine(run.stacks.named(stacks, "all"), run.settings, run.ui, parts=parts, fix=fix, save_root=save_root)
    found.show(run.ui)
    run.ui.document(found.document())
    if found.bad:
        count = f"{len(found.bad)} check{' is' if len(found.bad) == 1 else 's are'} bad"
        raise SurroundingsError(count, fix="do what is said above, then ask again")
    return None


def _doctor_log(run: Run, name: str, *, alone: bool) -> None:
    from builder.doctor.log import examine_log

    if not alone:
        raise InputError("--log goes alone", fix="doctor --log FILE")
    found = examine_log(name, run.ui)
    found.show(run.ui)
    run.ui.document(found.document())


def _doctor_container(run: Run, name: str, report: Path | None) -> None:
    from builder.doctor.container import doctor_container

    if not name:
        raise InputError("--container goes with --report alone", fix="doctor --container NAME [--report FILE.md]")
    found = doctor_container(name, run.ui)
    found.show(run.ui)
    if report:
        found.write(report)
    run.ui.document(found.document())
    if found.errors:
        one = len(found.errors) == 1
        problem = f"{len(found.errors)} thing{' does' if one else 's do'} not work in the container {name}"
        raise JobError(problem, fix=found.errors[0].fix)


@program.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print a shell completion script.

    Use it as `source <(modelstacks completion bash)`.
    """
    from click.shell_completion import get_completion_class

    found = get_completion_class(shell)
    if found is None:
        raise InputError(f"no completion for {shell}")
    click.echo(found(program, {}, "modelstacks", "_MODELSTACKS_COMPLETE").source())


def main() -> None:
    """Run the command line; every way out is one of the exit codes above."""
    # --json is understood before and after the verb.
    arguments = [word for word in sys.argv[1:] if word != "--json"]
    ui = Ui(as_json=len(arguments) < len(sys.argv) - 1)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(_guarded(lambda: program.main(arguments, prog_name="modelstacks", standalone_mode=False, obj=ui), ui))


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
        error.show()
        return 2
    except (KeyboardInterrupt, click.Abort):
        ui.warn("stopped; what is finished is kept, the same command goes on from there")
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
