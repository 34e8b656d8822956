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
from pathlib import Path
from typing import TYPE_CHECKING

import click

from builder import __version__
from builder.errors import InputError, InputErrors, JobError, ModelstacksError, SurroundingsError
from builder.settings import Settings, load
from builder.ui import Ui, human_bytes

if TYPE_CHECKING:
    from builder.smoke import GpuMode


@dataclass(frozen=True)
class Run:
    """What every command needs: the site's settings and the voice."""

    settings: Settings
    ui: Ui

    def names(self, asked: tuple[str, ...], *, default: tuple[str, ...] = ()) -> list[str]:
        """The stacks asked for: one or several, or `all`. Raises InputError for a name that is not there."""
        from builder.spec import stack_folder, stack_names

        given = [name for word in asked for name in word.replace(",", " ").split()] or list(default)
        if given == ["all"]:
            return sorted(stack_names(self.settings))
        if not given:
            known = ", ".join(sorted(stack_names(self.settings)))
            raise InputError("no stack is named", fix=f"name one or several of: {known}; or all")
        for name in given:
            stack_folder(name, self.settings)
        return list(dict.fromkeys(given))


def _complete(_: click.Context, __: click.Parameter, incomplete: str) -> list[str]:
    """Stack names for shell completion."""
    from builder.spec import stack_names

    return [name for name in [*sorted(stack_names(load())), "all"] if name.startswith(incomplete)]


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
    """The stacks there are, and how far each one is."""
    from builder.overview import overview

    rows = overview(run.settings)
    run.ui.table(
        "",
        ["stack", "family", "python", "cuda", "lock", "files", "fetched", "what it is"],
        [
            [row.name, row.family, row.python, row.cuda or "-", row.lock, str(row.files), row.fetched, row.summary]
            for row in rows
        ],
    )
    run.ui.document({"stacks": [row.document() for row in rows]})


@program.command()
@STACKS
@click.pass_obj
def check(run: Run, stacks: tuple[str, ...]) -> None:
    """Hold stacks and locks against known facts."""
    from builder.check import check as find
    from builder.lock import read, require_fresh, store
    from builder.spec import load_stack, stack_folder

    documents, wrong = {}, 0
    for name in run.names(stacks, default=("all",)):
        stack, folder = load_stack(name, run.settings), stack_folder(name, run.settings)
        lock = read(folder) if store.exists(folder) else None
        if lock:
            require_fresh(stack, lock, folder)
        findings = find(stack, lock)
        wrong += sum(finding.level == "error" for finding in findings)
        documents[name] = [finding.document() for finding in findings]
        run.ui.say(f"{name}: {'no findings' if not findings else f'{len(findings)} findings'}")
        if findings:
            rows = [[item.level, item.rule, item.problem, item.fix] for item in findings]
            run.ui.table("", ["level", "rule", "problem", "fix"], rows)
    run.ui.document({"stacks": documents})
    if wrong:
        raise InputError(f"{wrong} findings are errors", fix="do what the table says, then check again")


@program.command()
@STACKS
@click.option("--upgrade", is_flag=True, help="Resolve anew instead of keeping what is locked.")
@click.pass_obj
def lock(run: Run, stacks: tuple[str, ...], upgrade: bool) -> None:
    """Resolve and lock every file by hash."""
    from builder.check import check as find
    from builder.lock import resolve
    from builder.spec import load_stack, stack_folder
    from builder.stack import refuse_errors

    documents = []
    for name in run.names(stacks):
        stack = load_stack(name, run.settings)
        refuse_errors(find(stack, None), run.ui)
        done = resolve.lock(stack, stack_folder(name, run.settings), run.settings, run.ui, upgrade=upgrade)
        if done.changes:
            rows = [[item, old or "-", new or "-"] for item, old, new in done.changes]
            run.ui.table(f"{name}: what changed", ["package", "before", "after"], rows)
        documents.append(done.document())
    run.ui.document({"locks": documents})


@program.command()
@STACKS
@click.option("--verify", is_flag=True, help="Hash every file again instead of trusting its size and time.")
@OFFLINE
@FROZEN
@click.pass_obj
def fetch(run: Run, stacks: tuple[str, ...], verify: bool, offline: bool, frozen: bool) -> None:
    """Bring every locked file here, verified; record hashes that are pending."""
    from builder.fetch import fetch as bring
    from builder.fetch.pending import settle
    from builder.spec import stack_folder
    from builder.stack import locked

    documents = {}
    for name in run.names(stacks):
        _, found = locked(name, run.settings)
        found = settle(found, stack_folder(name, run.settings), run.settings, run.ui, frozen=frozen or offline)
        done = bring(found.artifacts(), found.indexes, run.settings, run.ui, verify=verify, offline=offline)
        documents[name] = done.document()
        run.ui.say(f"{name}: {len(done.fetched)} files fetched, {done.kept} were there")
    run.ui.document({"stacks": documents})


@program.command()
@STACKS
@click.pass_obj
def render(run: Run, stacks: tuple[str, ...]) -> None:
    """Write build/NAME/Dockerfile and its named contexts."""
    from builder.render import render as write
    from builder.stack import locked

    documents = {}
    for name in run.names(stacks):
        rendered = write(*locked(name, run.settings), run.settings)
        documents[name] = rendered.document()
        run.ui.say(f"{name}: {rendered.dockerfile}")
    run.ui.document({"stacks": documents})


@program.command()
@STACKS
@click.pass_obj
def build(run: Run, stacks: tuple[str, ...]) -> None:
    """Build images without a network."""
    from builder.build import build as make
    from builder.engine.client import Engine
    from builder.stack import locked

    documents = []
    engine = Engine.connect()
    for name in run.names(stacks):
        built = make(*locked(name, run.settings), run.settings, engine, run.ui)
        documents.append(built.document())
        run.ui.say(f"{name}: {'built' if built.built else 'unchanged'} {built.tag} {built.id}")
    run.ui.document({"images": documents})


@program.command()
@STACKS
@GPU
@click.pass_obj
def smoke(run: Run, stacks: tuple[str, ...], gpu: GpuMode) -> None:
    """Run smoke tests inside the built images."""
    from builder.engine.client import Engine
    from builder.smoke import smoke as prove
    from builder.stack import locked

    documents, failed = [], 0
    engine = Engine.connect()
    for name in run.names(stacks):
        report = prove(*locked(name, run.settings), f"modelstacks/{name}:latest", run.settings, run.ui, engine, gpu=gpu)
        report.table(run.ui)
        documents.append(report.document())
        failed += not report.green
    run.ui.document({"reports": documents})
    if failed:
        raise JobError("smoke tests failed", fix="see the tables above; build/NAME/smoke/ has the reports")


@program.command()
@STACKS
@GPU
@OFFLINE
@FROZEN
@click.pass_obj
def stack(run: Run, stacks: tuple[str, ...], gpu: GpuMode, offline: bool, frozen: bool) -> None:
    """Everything: lock where needed, fetch, build, smoke."""
    from builder.stack import make

    documents = []
    for name in run.names(stacks, default=("onnx-cpu",)):
        documents.append(make(name, run.settings, run.ui, gpu=gpu, offline=offline, frozen=frozen).document())
    run.ui.document({"stacks": documents})


@program.command()
@STACKS
@click.pass_obj
def reproduce(run: Run, stacks: tuple[str, ...]) -> None:
    """Build twice from nothing and compare."""
    from builder.engine.client import Engine
    from builder.reproduce import reproduce as twice
    from builder.stack import locked

    documents, differ = [], []
    engine = Engine.connect()
    for name in run.names(stacks):
        report = twice(*locked(name, run.settings), run.settings, engine, run.ui)
        report.table(run.ui)
        documents.append(report.document())
        differ += [] if report.identical else [name]
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

    names = run.names(stacks)
    path = out or Path("dist", f"{'+'.join(sorted(names))}.bundle.tar")
    size = part_size(split) if split else 0
    done = write(names, path, run.settings, run.ui, split=size, base=base, python=python, offline=offline)
    run.ui.say(f"{done.files[-1]}: {human_bytes(done.bytes)}, {done.members} files, id {done.id}")
    run.ui.document(done.document())


@program.command("import")
@click.argument("bundle", type=click.Path(exists=True, path_type=Path))
@click.option("--overwrite-stacks", is_flag=True, help="Replace stack files that are there with other content.")
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
@click.pass_obj
def doctor(run: Run, stacks: tuple[str, ...], save_root: Path | None) -> None:
    """Say what is wrong with the network, and the settings in force."""
    from builder.doctor import doctor as examine

    report = examine(run.names(stacks, default=("all",)), run.settings, run.ui, save_root=save_root)
    report.show(run.ui)
    run.ui.document(report.document())
    if report.bad:
        count = f"{len(report.bad)} check{' is' if len(report.bad) == 1 else 's are'} bad"
        raise SurroundingsError(count, fix="do what is said above, then ask again")


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
