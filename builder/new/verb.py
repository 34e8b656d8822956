"""The verb new: a stack.yaml in the user's own folder, and the table of what was decided on the way to it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from builder.errors import InputError
from builder.files import write_atomic
from builder.new import conda, containers, decide, extras, pairs, pip_files, pyproject, repository, routing, write
from builder.new.found import Decision, Found
from builder.new.offers import offers
from builder.new.origin import origin
from builder.new.tree import Tree, of_folder, of_git
from builder.settings import Settings
from builder.settings.program import SHIPPED
from builder.spec.stacks import STACK_FILE, Stacks
from builder.spec.text import NAME_PATTERN
from builder.spec.yamldoc import shown
from builder.ui import Ui

_GIT = re.compile(r"(?:git\+)?(https://[^@\s#]+?)(?:\.git)?@([0-9a-f]{40})")


def new(name: str, inputs: Sequence[str], settings: Settings, ui: Ui) -> dict[str, Any]:
    """Write FOLDER/NAME/stack.yaml from these inputs, show the table; gives both for --json.

    Raises InputError for a name that is none or taken, an input that is none of the kinds, and where no family fits.
    """
    target = _target(name, settings)
    found = Found()
    for one in inputs:
        with ui.working(f"reading {one}"):
            _read(one, found, settings)
    asking = decide.Asking(found)
    elsewhere = routing.routed(asking)
    with ui.working(f"asking the default index for {len(asking.asked)} projects"):
        offered = offers(set(asking.asked) - set(elsewhere), settings)
    if not offered and asking.asked:
        ui.warn("the default index cannot be reached: which packages have wheels is not known")
    everything = Stacks(settings).families()
    fits = decide.choose(asking, everything, offered, elsewhere)
    if not fits:
        raise InputError("no family fits", fix="write a family of your own (docs/stacks.md), then run this again")
    draft = decide.drafted(asking, fits, offered, elsewhere)
    pairs.bound(draft, fits[0].family)
    extras.add(asking, draft, fits[0].family)
    text = write.stack_yaml(draft, write.summary_of(name))
    write_atomic(target, text)
    ui.table(
        f"{name}: {write.counts(draft.decisions)}", ["what", "decision", "why", "where"], write.table(draft.decisions)
    )
    _say_what_is_wrong(name, settings, ui)
    yours = sum(one.kind == "yours" for one in draft.decisions)
    left = f"; {yours} comment{'s' * (yours > 1)} in it {'are' if yours > 1 else 'is'} left to you" if yours else ""
    ui.say(f"{shown(target)} is written{left}")
    # A folder that this command line alone names has to be named by the next one too.
    where = (
        f" STACKS={shlex.quote(shown(target.parents[1]))}" if "--stacks" in settings.sources.get("stacks", "") else ""
    )
    ui.say(f"next: make lock STACK={name}{where}")
    ui.result(shown(target))
    return {
        "stack": name,
        "file": str(target),
        "family": fits[0].name,
        "runner_up": fits[1].name if len(fits) > 1 else "",
        "decisions": [vars(one) for one in draft.decisions],
    }


def _say_what_is_wrong(name: str, settings: Settings, ui: Ui) -> None:
    """Read the file as every verb will; what an input held that cannot stand in a stack is told at once."""
    try:
        Stacks(settings).load(name)
    except InputError as error:
        ui.warn("the file is not right yet")
        ui.error(error)


def _target(name: str, settings: Settings) -> Path:
    if not re.fullmatch(NAME_PATTERN, name) or name == "families":
        raise InputError(f"{name[:80]!r} is not a stack's name", fix="use a-z, 0-9, '.' and '-', at most 64 characters")
    if name in Stacks(settings).folders:
        where = shown(Stacks(settings).folders[name])
        raise InputError(f"there is a stack {name} already", where=where, fix="choose another name, or remove it")
    folder = settings.own_stacks
    if folder == SHIPPED and not (folder / "schema.json").is_file():
        folder.mkdir(parents=True, exist_ok=True)
    return folder / name / STACK_FILE


def _read(given: str, found: Found, settings: Settings) -> None:
    """One input, by what it is."""
    kind, _, rest = given.partition(":")
    if kind in ("container", "image") and rest:
        containers.read(kind, rest, found)
        return
    if git := _GIT.fullmatch(given):
        found.source = git[1], git[2]
        repository.read(of_git(git[1], git[2], settings), found)
        return
    if "://" in given:
        why = "a branch or tag moves, and what is read has to be what is built"
        fix = "write https://HOST/OWNER/NAME@COMMIT with the 40 hex digits that `git ls-remote` tells"
        raise InputError(f"{given[:200]!r} is no git address at a commit", why=why, fix=fix)
    path = Path(given)
    if path.is_symlink() or not path.exists():
        problem = f"{given[:200]!r} is {'a link' if path.is_symlink() else 'not there'}"
        fix = "give a file, a folder, https://HOST/OWNER/NAME@COMMIT, container:NAME or image:REFERENCE"
        raise InputError(problem, fix=fix)
    if path.is_dir():
        found.source = origin(path)
        repository.read(of_folder(path), found)
        if not found.source[0]:
            why = "the folder is no clone of an https address: give the code as a source, or as files/"
            found.decisions.append(Decision(kind="yours", what=str(path), into="sources", why=why))
        return
    _file(path, found)


def _file(path: Path, found: Found) -> None:
    """One file, with those beside it that it names."""
    if path.suffix in (".py", ".ipynb", ".sh", ".cfg", ".json", ".md") or path.name.startswith("Dockerfile"):
        fix = f"give the folder it lies in, {shown(path.absolute().parent)}, which is read as a repository"
        raise InputError(f"{path.name[:200]!r} is no list of packages", where=shown(path), fix=fix)
    folder = path.absolute().parent
    beside = [path, *folder.glob("*.txt"), *folder.glob("*.in"), *folder.glob("*/*.txt")]
    plain = {one.absolute(): None for one in beside[:500] if one.is_file() and not one.is_symlink()}
    rows = (
        (
            one.relative_to(folder).as_posix(),
            one.stat().st_size,
            one.read_bytes() if one.stat().st_size <= 1 << 20 else b"",
        )
        for one in plain
    )
    tree = Tree(rows, str(folder))
    if path.name not in tree.files:
        raise InputError("the file is larger than 1 MiB", where=shown(path), fix="give the file that lists packages")
    if path.suffix in (".yml", ".yaml"):
        conda.read(tree, path.name, found)
    elif path.suffix == ".toml":
        pyproject.read(tree, path.name, found)
    else:
        pip_files.read(tree, path.name, found)
