"""Remove what may go, while no command of ours is at work."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager

from builder.engine.client import Engine
from builder.errors import JobError, SurroundingsError
from builder.files import held, held_folder
from builder.prune.plan import Left
from builder.settings import Settings
from builder.ui import Ui

_LOCKS = (".building", ".compiling", ".locking", ".rendering")


@contextmanager
def alone(settings: Settings) -> Iterator[None]:
    """Hold everything that builds, locks or imports here. Raises SurroundingsError where something is at work."""
    with ExitStack() as used:
        for folder in (settings.wheels, settings.assets):
            if folder.is_dir() and not used.enter_context(held_folder(folder, wait=False)):
                raise _busy(str(folder))
        for lock in sorted(settings.build.glob("*/.*")):
            if lock.name in _LOCKS and not used.enter_context(held(lock, wait=False)):
                raise _busy(str(lock.parent))
        yield


def _busy(where: str) -> SurroundingsError:
    fix = "wait for it to end, then prune again"
    return SurroundingsError("a command of modelstacks is at work here", where=where, fix=fix)


def remove(rows: Iterable[Left], settings: Settings, engine: Engine | None, ui: Ui) -> tuple[list[Left], list[Left]]:
    """Remove these; gives what went, and what could not go, each of which is told."""
    gone: list[Left] = []
    stayed: list[Left] = []
    for one in rows:
        try:
            if one.kind == "image" and engine:
                engine.remove(one.name)
            elif one.kind == "folder":
                shutil.rmtree(settings.home / one.name)
            else:
                (settings.home / one.name).unlink()
        except (OSError, JobError) as error:
            ui.warn(f"{one.name} stays: {getattr(error, 'why', '') or error}")
            stayed.append(one)
        else:
            gone.append(one)
    return gone, stayed
