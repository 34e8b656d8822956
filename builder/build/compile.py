"""Compiled wheels: taken from wheels/built/, from the site's mirror of it, or compiled once and kept there."""

from __future__ import annotations

import json
import os
import re
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from builder import zips
from builder.build import base, buildx, members
from builder.build.builders import chosen
from builder.build.image import is_current
from builder.engine.client import Engine
from builder.errors import InputError, JobError, ModelstacksError, Unreachable
from builder.files import held, scratch, sha256_of, sync_folder, write_atomic
from builder.lock import read, store
from builder.lock.model import Artifact, StackLock
from builder.net.urls import clean_url
from builder.origin import FILE_NAME_PATTERN, Origin
from builder.render import Recipe, recipes, render_recipe
from builder.render.compiled import compiled_files
from builder.settings import Settings
from builder.spec.model import Stack
from builder.ui import Ui, human_bytes

RECORD = "built.json"
# Two jobs of gsplat 1.5.3 with nvcc 13.0 took 2.5 GB together (measured); twice that for what is larger.
_BYTES_PER_JOB = 2_500_000_000
# What a compiler says of a place in a file (g++, clang, nvcc), and what others say, a linker and Python among them.
_PLACED = re.compile(r"^(?:\S+?:\d+(?::\d+)?: |\S+?\(\d+\): )(?:\w+ )?error(?: #\S+)?: ")
_OTHER = re.compile(
    r"^(?:nvcc (?:fatal|error)|CMake Error) |\bundefined reference to |\bcannot find -l"
    r"|^\w+Error: |^(?:\S+: )?(?:\w+ )?error: "
)


def compile_all(
    stack: Stack,
    lock: StackLock,
    folder: Path,
    settings: Settings,
    engine: Engine,
    ui: Ui,
    *,
    frozen: bool = False,
    offline: bool = False,
) -> StackLock:
    """Have the wheel of everything that a stack compiles; returns the lock with each recorded.

    folder: the stack's, whose stack.lock is written where a wheel is recorded. frozen: refuse to record.
    offline: ask no mirror. Does nothing where image and wheels are there already. Raises InputError when frozen, and
    JobError with the compiler's first error, or where what is compiled is not what the lock holds.
    """
    wanted = recipes(stack, lock)
    there = all((settings.home / item.folder / item.filename).is_file() for item in lock.built)
    if not wanted or (there and is_current(stack, lock, settings, engine)):
        return lock
    unfrozen = f"run `make build STACK={stack.name}` without FROZEN=1, and commit stack.lock"
    with held(settings.build / stack.name / ".compiling"):
        lock = read(folder)
        had = {item.origin: item for item in lock.built}
        built = []
        for recipe in wanted:
            locked = had.get(Origin("built", recipe.key))
            # Stacks share wheels/built: what two of them need at the same time is compiled once.
            with held(settings.wheels / "built" / f".{recipe.key}.lock"):
                item = _kept(recipe, locked, settings)
                if not offline and (item is None or (locked and item.sha256 != locked.sha256)):
                    item = _mirrored(recipe, locked, settings, ui) or item
                if item is None and locked is None and frozen:
                    raise InputError(f"the compiled wheel of {recipe.project} is not in the lock yet", fix=unfrozen)
                item = item or _compiled(stack, lock, recipe, settings, engine, ui)
            if locked and item.sha256 != locked.sha256:
                raise _differs(recipe, locked, item, settings)
            built.append(item)
        if tuple(built) == lock.built:
            return lock
        if frozen:
            raise InputError("compiled wheels would be recorded in the lock", fix=unfrozen)
        for item in set(built) - set(lock.built):
            ui.say(f"recorded in stack.lock: {item.filename}, {human_bytes(item.size)}, sha256 {item.sha256}")
        return store.write(folder, replace(lock, built=tuple(built)), instead_of=lock, home=settings.home)


def _folder(recipe: Recipe, settings: Settings) -> Path:
    return settings.wheels / "built" / recipe.key


def _kept(recipe: Recipe, locked: Artifact | None, settings: Settings) -> Artifact | None:
    """The wheel in the cache: the locked one, or the one of its record (a bundle brings wheels without a record)."""
    folder = _folder(recipe, settings)
    recorded: Artifact | None
    try:
        recorded = artifact_of(json.loads((folder / RECORD).read_text()), recipe)
    except (OSError, ValueError, KeyError, TypeError):
        recorded = None
    there = (one for one in (locked, recorded) if one and (folder / one.filename).is_file())
    return next((one for one in there if sha256_of(folder / one.filename) == one.sha256), None)


def artifact_of(record: dict[str, Any], recipe: Recipe) -> Artifact:
    """The wheel that a built.json names. Raises KeyError, TypeError or ValueError for one that names none."""
    filename, size, sha256 = record["filename"], record["size"], record["sha256"]
    if not isinstance(filename, str) or not isinstance(size, int):
        raise TypeError("filename and size are a text and a number")
    try:
        project, version, _, _ = parse_wheel_filename(filename)
    except InvalidWheelFilename as error:
        raise ValueError(str(error)) from None
    if not (re.fullmatch(FILE_NAME_PATTERN, filename) and re.fullmatch(r"[0-9a-f]{64}", sha256) and size >= 0):
        raise ValueError(f"{filename!r} is not a wheel with its size and sha256")
    if project != recipe.project:
        raise ValueError(f"{filename!r} is not a wheel of {recipe.project}")
    return Artifact(
        kind="built",
        filename=filename,
        size=size,
        sha256=sha256,
        origin=Origin("built", recipe.key),
        project=str(project),
        version=str(version),
    )


def _mirrored(recipe: Recipe, locked: Artifact | None, settings: Settings, ui: Ui) -> Artifact | None:
    """The wheel from the site's mirror of wheels/built/, None where it has none or cannot be reached."""
    if not settings.built and not (settings.files and locked):
        return None
    from builder.fetch import fetch  # noqa: PLC0415 (most sites have no such mirror)
    from builder.net.session import Session  # noqa: PLC0415

    shown = " or ".join(filter(None, (settings.files, clean_url(settings.built))))
    try:
        item = locked
        if item is None:
            with Session(settings, warn=ui.warn) as session:
                text, _, _ = session.get_text(f"{settings.built}/{recipe.key}/{RECORD}", "application/json")
            item = artifact_of(json.loads(text), recipe)
        fetch([item], {}, settings, ui)
    except (InputError, JobError, ValueError, KeyError, TypeError) as error:
        ui.say(f"{recipe.project}: {shown} has no usable wheel ({error}); compiling it")
        return None
    except Unreachable as error:
        ui.warn(f"{recipe.project}: {shown} cannot be reached ({error.problem}); compiling it")
        return None
    _record(recipe, item, settings)
    ui.say(f"{recipe.project}: {item.filename} from {shown}")
    return item


def _compiled(stack: Stack, lock: StackLock, recipe: Recipe, settings: Settings, engine: Engine, ui: Ui) -> Artifact:
    """Compile one wheel and keep it."""
    jobs = _jobs(engine)
    members.refuse(settings.home / item.folder / item.filename for item in lock.toolchain)
    base.ensure(lock.base, settings, engine, ui)
    rendered = render_recipe(stack, lock, recipe, settings)
    capabilities = f" for compute capability {', '.join(stack.gpus)}" if stack.gpus else ""
    ui.step(f"compiling {recipe.project}{capabilities}, {jobs} jobs")
    folder = _folder(recipe, settings)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with scratch(folder.parent / ".scratch", "compiling-") as aside:
        below = base.seen(lock.base, settings, engine)
        try:
            with chosen(lock.base, settings, engine, ui) as by:
                buildx.extract(rendered, engine, ui, aside, epoch=lock.epoch, arguments={"MAX_JOBS": jobs}, by=by)
        except JobError as error:
            raise _explained(error, recipe, rendered.folder / "build.log") from None
        if base.seen(lock.base, settings, engine) != below:
            raise JobError("the base image was exchanged during the compile", where=recipe.project, fix="build again")
        wheel = _the_wheel(aside, recipe)
        record = {"filename": wheel.name, "size": wheel.stat().st_size, "sha256": sha256_of(wheel)}
        item = artifact_of(record, recipe)
        with wheel.open("rb") as stream:
            os.fsync(stream.fileno())
        folder.mkdir(exist_ok=True)
        wheel.replace(folder / wheel.name)
    sync_folder(folder)
    _record(recipe, item, settings)
    ui.say(f"compiled {item.filename}, {human_bytes(item.size)}")
    return item


def _jobs(engine: Engine) -> str:
    """How many compilers run at once: MAX_JOBS, else by cores and memory. Raises InputError for no such number."""
    jobs = os.environ.get("MAX_JOBS") or str(max(1, min(engine.info.cores, engine.info.memory // _BYTES_PER_JOB)))
    if not re.fullmatch(r"[1-9][0-9]{0,3}", jobs):
        raise InputError(f"MAX_JOBS={jobs} is no number of jobs", fix="give a number from 1 to 9999, or leave it out")
    return jobs


def _record(recipe: Recipe, item: Artifact, settings: Settings) -> None:
    """Say beside a wheel what it is and what shaped it."""
    record = {"filename": item.filename, "size": item.size, "sha256": item.sha256, "inputs": recipe.inputs}
    write_atomic(_folder(recipe, settings) / RECORD, json.dumps(record, indent=1, sort_keys=True) + "\n")


def _the_wheel(folder: Path, recipe: Recipe) -> Path:
    """The one wheel that was compiled, holding the modules that the stack asks for. Raises JobError."""
    found = sorted(folder.iterdir())
    try:
        names = [str(parse_wheel_filename(path.name)[0]) for path in found]
    except InvalidWheelFilename as error:
        fix = "correct name and version in its setup.py by `edits`"
        raise JobError(f"compiling {recipe.project} gave no proper wheel", why=str(error), fix=fix) from None
    if names != [recipe.project] or found[0].is_symlink():
        given = ", ".join(path.name for path in found) or "nothing"
        fix = "give the extension the `name` that its setup.py has"
        raise JobError(f"compiling {recipe.project} gave {given}", fix=fix)
    wanted = recipe.extension.compiled if recipe.extension else ()
    try:
        with zips.opened(found[0]) as archive:
            names = archive.namelist()
    except (OSError, zipfile.BadZipFile):
        raise JobError(f"compiling {recipe.project} gave a wheel that is no zip file", fix="see its setup.py") from None
    there = {re.sub(r"\..*$", "", path).replace("/", ".") for path in compiled_files(names).values()}
    if missing := [module for module in wanted if module not in there]:
        why = f"its shared objects: {', '.join(sorted(there)) or 'none'}"
        fix = "correct `compiled`, or let its setup.py compile without a GPU (`env`, `edits`)"
        raise JobError(f"the wheel of {recipe.project} lacks {', '.join(missing)}", why=why, fix=fix)
    return found[0]


def _explained(error: JobError, recipe: Recipe, log: Path) -> ModelstacksError:
    """The failure of a compile, by the compiler's own first error and the likely cause of what the log shows."""
    from builder.failures import recognise_file  # noqa: PLC0415 - of a build that failed alone

    first = _first_error(log)
    if not first:
        return error
    fix = "see the whole log; `edits`, `flags` and `env` of the extension change how it is compiled"
    if missing := re.match(r"ModuleNotFoundError: No module named '(\w+)", first):
        fix = f"list what has {missing[1]} under `packages` of the toolchain, which is all that a setup.py finds"
    elif known := next((one for one in recognise_file(log).matches if one.level == "error"), None):
        first, fix = f"{first}; likely cause: {known.cause}", known.stack or known.fix
    return JobError(f"{recipe.project} does not compile", where=str(log), why=first, fix=fix)


def _first_error(log: Path) -> str:
    """The first line that names a place in a file and an error, else the first other error, else ""."""
    other = ""
    with log.open(errors="replace") as lines:
        while line := lines.readline(1 << 16):
            text = re.sub(r"^#\d+ (\d+\.\d+ )?", "", line[:2000]).strip()
            if _PLACED.search(text):
                return text[:500]
            # A command that failed has said why before.
            if not other and _OTHER.search(text) and "failed with exit code" not in text:
                other = text[:500]
    return other


def _differs(recipe: Recipe, locked: Artifact, item: Artifact, settings: Settings) -> JobError:
    return JobError(
        f"{recipe.project} as compiled here is not the wheel in the lock",
        where=str(_folder(recipe, settings) / item.filename),
        why=f"a compiler's output may differ from run to run: sha256 {item.sha256} here, {locked.sha256} in the lock",
        fix="bring wheels/built/ of where it was locked (a bundle, or the setting `built`), or take this one: remove "
        "the other's line under `built` in stack.lock",
    )
