"""The verb list: every stack and how far it is."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from builder.errors import InputError
from builder.lock import inputs_digest, read, store
from builder.lock.model import StackLock
from builder.settings import Settings
from builder.spec import load_stack, stack_names


@dataclass(frozen=True)
class Row:
    """One stack. lock: fresh, stale, none or damaged. fetched: "n of m" files by name and size."""

    name: str
    family: str
    python: str
    cuda: str | None
    lock: str
    files: int
    fetched: str
    summary: str

    def document(self) -> dict[str, Any]:
        """For --json."""
        return asdict(self)


def overview(settings: Settings) -> list[Row]:
    """A row per stack, by name. Raises InputError where a stack file is wrong."""
    rows = []
    for name, folder in sorted(stack_names(settings).items()):
        stack = load_stack(name, settings)
        state, lock = "none", None
        if store.exists(folder):
            try:
                lock = read(folder)
                state = "fresh" if lock.inputs == inputs_digest(stack) else "stale"
            except InputError:
                state = "damaged"
        files = lock.artifacts() if lock else ()
        rows.append(
            Row(
                name=name,
                family=stack.family,
                python=stack.python,
                cuda=stack.cuda,
                lock=state,
                files=len(files),
                fetched=f"{_there(lock, settings)} of {len(files)}" if lock else "-",
                summary=stack.summary,
            )
        )
    return rows


def _there(lock: StackLock, settings: Settings) -> int:
    found = 0
    for item in lock.artifacts():
        path = settings.home / item.folder / item.filename
        found += path.exists() and path.stat().st_size == item.size
    return found
