"""The build of an image: build/NAME/Dockerfile and the named contexts it mounts."""

from __future__ import annotations

from pathlib import Path

from builder.errors import InputError
from builder.files import held, scratch, sha256_of, write_atomic
from builder.lock.model import StackLock
from builder.render.compiled import wheels_to_install
from builder.render.dockerfile import render_dockerfile, run_files, source_file
from builder.render.folders import (
    Rendered,
    deb_context,
    keep_only,
    linked,
    uv_program,
    verified,
    wheel_context,
    write,
    written,
)
from builder.render.groups import grouped
from builder.render.ready import installed
from builder.render.recipe import recipes
from builder.render.trees import write_tree
from builder.settings import Settings
from builder.spec.files import FILES, mode, own_files
from builder.spec.model import Stack

__all__ = ["Rendered", "render", "require_fetched"]


def render(stack: Stack, lock: StackLock, settings: Settings) -> Rendered:
    """Write build/NAME/Dockerfile and its contexts.

    Raises InputError where a locked file is not fetched (before anything is written), a package is not
    compiled yet, or a declared edit does not apply as often as it says.
    """
    folder = settings.build / stack.name
    require_fetched(lock, settings)
    with held(folder / ".rendering"):
        contexts = {"uv": uv_program(lock, settings)}
        for group in grouped(installed(lock)):
            contexts[group.name] = wheel_context(folder, group, settings)
        if recipes(stack, lock):
            contexts["extensions"] = wheels_to_install(stack, lock, folder, settings)
        if lock.debs:
            contexts["debs"] = deb_context(folder, "debs", lock.debs, settings)
        if lock.sources:
            contexts["sources"] = _sources(stack, lock, folder, settings)
        if stack.files:
            contexts["files"] = _own_files(stack, folder)
        if stack.run:
            contexts["run"] = linked(folder, "run", (), settings, beside=(texts := run_files(stack)))
            for name, text in texts.items():
                write(contexts["run"] / name, text)
        if lock.weights:
            contexts["weights"] = linked(folder, "weights", lock.weights, settings)
        keep_only(folder, contexts)
        return written(folder, render_dockerfile(stack, lock, settings.templates), contexts)


def _sources(stack: Stack, lock: StackLock, folder: Path, settings: Settings) -> Path:
    """The archives of the sources, those with edits written anew."""
    pairs = list(zip(stack.sources, lock.sources, strict=True))
    edited = {source_file(source, item): (source, item) for source, item in pairs if source.edits}
    plain = [item for source, item in pairs if not source.edits]
    context = linked(folder, "sources", plain, settings, beside=edited)
    for name, (source, item) in edited.items():
        with scratch(folder / ".scratch", "edited-") as aside:
            made, there = aside / name, context / name
            write_tree(verified(item, settings), made, source.edits)
            # The one of an earlier build stays only where it is still the same: nobody else knows its hash.
            if not there.is_file() or sha256_of(there) != sha256_of(made):
                made.replace(there)
    return context


def _own_files(stack: Stack, folder: Path) -> Path:
    """The context of the stack's own files, as they are now."""
    context = folder / "contexts" / FILES
    found = dict(own_files(stack.folder, [one.folder for one in stack.files]))
    for there in sorted(context.rglob("*"), reverse=True):  # what is in a folder before the folder
        if there.is_dir():
            if not any(there.iterdir()):
                there.rmdir()
        elif there.relative_to(context).as_posix() not in found:
            there.unlink()
    for name, path in found.items():
        target = context / name
        if not target.exists() or target.read_bytes() != path.read_bytes():
            write_atomic(target, path.read_bytes())
        target.chmod(mode(path))
    return context


def require_fetched(lock: StackLock, settings: Settings) -> None:
    """Raise InputError where a file of the lock is pending or not fetched."""
    if lock.pending:
        problem = f"the hash of {', '.join(item.project for item in lock.pending)} is pending"
        raise InputError(problem, fix=f"run `make fetch STACK={lock.stack}`, which records it")
    for item in lock.artifacts():
        path = settings.home / item.folder / item.filename
        # A base and an archive are needed to make what a build needs, not by the build itself.
        if item.kind in ("archive", "blob"):
            continue
        if item not in lock.base.debs and not path.exists():
            fix = f"run `make fetch STACK={lock.stack}`"
            raise InputError(f"{item.filename} is in the lock but not fetched", where=str(path), fix=fix)
