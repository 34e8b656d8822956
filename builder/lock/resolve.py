"""The verb lock: a stack becomes a lock that names every file by hash."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name, parse_wheel_filename

from builder.errors import InputError, JobError, SurroundingsError, Unreachable, combined
from builder.files import held
from builder.lock import base, sources, store, together, weights, wheels
from builder.lock.changes import changed
from builder.lock.existing import readable
from builder.lock.fits import misfit
from builder.lock.inputs import digest, listed
from builder.lock.model import Artifact, LockedIndex, StackLock, Unresolved
from builder.lock.routes import routes
from builder.lock.schema import LAST_EPOCH
from builder.lock.tags import clamped
from builder.lock.unsolvable import without_wheels
from builder.net.index import default_index, links
from builder.net.session import Session
from builder.origin import DEFAULT_INDEX, Origin
from builder.settings import Settings
from builder.spec.extension import Extension
from builder.spec.model import Stack
from builder.spec.parts import Source
from builder.ui import Ui

Judge = Callable[[StackLock, Mapping[str, tuple[str, ...]]], None]


@dataclass(frozen=True)
class Locked:
    """What `make lock` did: the lock, whether it was written, and each file that changed (name, before, after).

    rebuilt: (name, version, build) of what stays as it is locked while the index has a later build of that version.
    first: there was none before.
    """

    lock: StackLock
    written: bool
    changes: tuple[tuple[str, str, str], ...]
    rebuilt: tuple[tuple[str, str, int], ...] = ()
    first: bool = False

    def document(self) -> dict[str, Any]:
        """For --json."""
        return {
            "stack": self.lock.stack,
            "digest": self.lock.digest,
            "written": self.written,
            "files": len(self.lock.artifacts()),
            "bytes": sum(item.size for item in self.lock.artifacts()),
            "unresolved": [{**asdict(item), "origin": str(item.origin or "")} for item in self.lock.unresolved],
            "changes": [{"name": name, "before": old, "after": new} for name, old, new in self.changes],
            "rebuilt": [{"name": name, "version": version, "build": build} for name, version, build in self.rebuilt],
        }


def lock(
    stack: Stack,
    folder: Path,
    settings: Settings,
    ui: Ui,
    *,
    upgrade: bool = False,
    partly: bool = False,
    judge: Judge | None = None,
    ask: Callable[[], None] | None = None,
) -> Locked:
    """Write the lock of a stack beside its stack file, or keep the one there where nothing asks for another.

    upgrade: resolve again without preferring what is locked. partly: leave what cannot be reached unresolved, which
    a later run resolves; a whole lock is never replaced by such a one. judge: called with the lock before it is written
    and with who brings each package; what it raises keeps it from being written. ask: called before
    all is resolved anew; it raises what keeps that from being done. Raises InputError where the stack
    cannot be resolved, SurroundingsError where an index or archive cannot be reached; the old lock then stays.
    """
    with held(settings.build / stack.name / ".locking"):
        together.mend(folder)
        old = readable(folder)  # one that cannot be read is made anew
        if old and not upgrade and old.inputs == digest(stack) and not old.unresolved and not misfit(stack, old):
            ui.tell(f"{stack.name}: the lock is fresh, {len(old.artifacts())} files")
            return Locked(old, False, ())
        if ask and (upgrade or old is None):
            ask()
        if said := clamped(stack):
            ui.warn(said)
        lacking: dict[str, str] = {}
        with ui.working(f"locking {stack.name} for Python {stack.python} on {stack.platform}") as work:
            fresh, rebuilt, brought = _resolve(stack, settings, ui, None if upgrade else old, lacking, partly=partly)
            work.done = f"resolved: {len(fresh.wheels)} Python and {len(fresh.debs)} system packages"
        _refuse(stack, lacking, (lambda: judge(fresh, brought)) if judge else lambda: None)
        if old:
            _hold_to_known(old, fresh, folder)
        if fresh.unresolved and old and not old.unresolved:
            raise Unreachable(
                f"{stack.name} would lose what is locked: {listed(fresh.unresolved)}",
                where=str(folder / store.STACK_LOCK),
                why="they cannot be reached now, and the lock that is there is whole",
                fix="lock where they can be reached, or move that lock away first",
            )
        if fresh.unresolved:
            again = f"run `make lock STACK={stack.name}` where the rest can be reached"
            ui.warn(f"the lock of {stack.name} is not whole: {listed(fresh.unresolved)}; {again}")
        changes = changed(old, fresh)
        if old and replace(fresh, epoch=old.epoch, digest=old.digest) == old:
            ui.tell(f"{stack.name}: the lock is up to date, nothing changed")
            return Locked(old, False, (), rebuilt)
        return Locked(
            store.write(folder, fresh, instead_of=old, home=settings.home), True, changes, rebuilt, first=old is None
        )


def _refuse(stack: Stack, lacking: Mapping[str, str], judge: Callable[[], None]) -> None:
    """Raise one InputError, or InputErrors, of all that keeps what was resolved from being a lock."""
    errors = [without_wheels(lacking, stack)] if lacking else []
    try:
        judge()
    except InputError as error:
        errors.append(error)
    if errors:
        raise combined(errors)


def _resolve(
    stack: Stack, settings: Settings, ui: Ui, old: StackLock | None, lacking: dict[str, str], *, partly: bool
) -> tuple[StackLock, tuple[tuple[str, str, int], ...], Mapping[str, tuple[str, ...]]]:
    """The lock, what is rebuilt as Locked has it, and who asks for each package."""
    left: list[Unresolved] = []
    # The archive of the distribution is asked while the indexes are: neither needs the other's answer.
    with ThreadPoolExecutor(max_workers=1) as beside, Session(settings, warn=ui.warn) as session:
        asked = beside.submit(base.locked, stack, settings, ui.warn)
        archives, files, unresolved = weights.locked(stack, session, old, partly=partly)
        left += unresolved
        ui.say("resolving Python and system packages")
        ways = routes(stack, session, partly=partly)
        for project in sorted(ways.compiled):
            ui.warn(f"{project}: its index has no wheel that fits; it is compiled")
        python = wheels.resolve(stack, ways, settings, session, old.wheels if old else (), lacking)
        compilers = wheels.toolchain(stack, python, ways, settings, session, old.toolchain if old else ())
        left += dict.fromkeys((*python.unresolved, *compilers.unresolved))
        tool = _uv_tool(settings, session)
        try:
            system = asked.result()
        except Unreachable:
            if not partly or not stack.base.image:
                raise
            image, unresolved = base.unresolved(stack)
            system, left = base.System(image, (), ()), left + list(unresolved)
    idle = {item.project for item in python.found if item.kind == "wheel"} & stack.fallbacks
    git = [one for one in stack.extensions if one.git and canonicalize_name(one.name) not in idle]
    own, extensions = _sources(stack.sources, settings, left, partly), _sources(git, settings, left, partly)
    rebuilt = tuple(dict.fromkeys((*python.rebuilt, *compilers.rebuilt)))
    fresh = StackLock(
        stack=stack.name,
        inputs=digest(stack),
        epoch=made_at(),
        python=stack.python,
        platform=stack.platform,
        indexes={
            name: LockedIndex(url=str(index.url or index.find_links), find_links=index.url is None)
            for name, index in stack.indexes.items()
        },
        base=system.base,
        wheels=python.found,
        debs=system.debs,
        tools=(tool,),
        sources=own,
        weights=files,
        digest="",
        archives=archives,
        toolchain=compilers.found,
        toolchain_debs=system.toolchain,
        extension_sources=extensions,
        built=old.built if old else (),
        unresolved=tuple(left),
    )
    return fresh, rebuilt, python.brought


def made_at() -> int:
    """When a lock is made: now, or SOURCE_DATE_EPOCH where that is set, so that two makers get the same bytes.

    Raises InputError for one that is no number of seconds up to the year 9999, SurroundingsError for such a clock.
    """
    text = os.environ.get("SOURCE_DATE_EPOCH", "")
    if not text:
        if not 0 <= (now := int(time.time())) <= LAST_EPOCH:
            raise SurroundingsError(f"it is {now} seconds since 1970", fix="set this machine's clock")
        return now
    if not re.fullmatch(r"[0-9]{1,12}", text) or int(text) > LAST_EPOCH:
        fix = "export seconds since 1970, or unset it"
        raise InputError(f"SOURCE_DATE_EPOCH={text[:40]!r} is no date", fix=fix)
    return int(text)


def _sources(
    wanted: Sequence[Source | Extension], settings: Settings, left: list[Unresolved], partly: bool
) -> tuple[Artifact, ...]:
    """The archives of git sources. partly: those whose server cannot be reached are put to `left` instead."""
    found = []
    for one in wanted:
        git, commit = str(one.git), str(one.commit)
        try:
            found.append(sources.locked(git, commit, settings))
        except Unreachable:
            if not partly:
                raise
            name = sources.name_of(git)
            left.append(Unresolved(kind="source", name=name, version=commit, origin=Origin("git", git, commit)))
    return tuple(found)


def _hold_to_known(old: StackLock, new: StackLock, folder: Path) -> None:
    """Raise JobError where a wheel that was unresolved is now another file than the lock has it as publicly known."""
    known = {one.filename: one.sha256 for one in old.unresolved if one.sha256}
    for item in new.wheels:
        if item.sha256 != known.get(item.filename, item.sha256):
            raise JobError(
                f"the index serves other bytes under the name {item.filename}",
                where=new.indexes[item.origin.place].url,
                why=f"sha256 {item.sha256} there, publicly known as {known[item.filename]}",
                fix=f"do not use this mirror; or, if the file did change, delete {folder / store.STACK_LOCK}",
            )


def _uv_tool(settings: Settings, session: Session) -> Artifact:
    """The wheel of the uv that runs inside builds: the version this program itself is locked to."""
    version = installed_version("uv")
    for link in links(session, default_index(settings), "uv", starting=f"uv-{version}-").values():
        if not link.filename.endswith(".whl") or not link.sha256:
            continue
        tags = {tag.platform for tag in parse_wheel_filename(link.filename)[3]}
        if "manylinux_2_17_x86_64" in tags:
            return Artifact(
                kind="tool",
                filename=link.filename,
                size=link.size or session.size_of(link.url),
                sha256=link.sha256,
                origin=DEFAULT_INDEX,
                project="uv",
                version=version,
            )
    raise JobError(f"the default index has no uv {version} wheel for Linux x86_64", fix="use a mirror that has it")
