"""A row of the matrix for each stack that a change touches: where to build it, what to keep between runs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from builder.errors import InputError
from builder.files import sha256_text
from builder.lock import store
from builder.lock.existing import readable
from builder.lock.model import ROOM
from builder.matrix.affected import why
from builder.settings import Settings
from builder.smoke.subject import CHECKS
from builder.spec import Loaded
from builder.spec.model import Stack
from builder.stack import last_seconds


@dataclass(frozen=True)
class Row:
    """A stack to build. runner: labels. disk_gb: room that it takes, from its lock, 0 where it is not known.

    cache_key: changes with the lock. seconds: of the last run here that built it, None where there was none.
    why: the files that changed; none where everything is built.
    """

    stack: str
    kind: str
    gpu: bool
    runner: list[str]
    disk_gb: int
    cache_key: str
    seconds: float | None
    why: list[str]

    def document(self) -> dict[str, Any]:
        """For --json and the forges."""
        return asdict(self)

    def cells(self) -> list[str]:
        """For a table."""
        return [self.stack, ",".join(self.runner), str(self.disk_gb or "?"), ", ".join(self.why[:3]) or "all is built"]


def rows(
    loaded: Iterable[Loaded], files: set[Path] | None, settings: Settings, cpu: list[str], gpu: list[str]
) -> list[Row]:
    """The rows of a change. files: what changed, None for everything. cpu, gpu: labels of the runners of both kinds."""
    found = []
    for one in loaded:
        reasons = [] if files is None else why(one, files)
        if files is None or reasons:
            needs = isinstance(one, Stack) and _needs_gpu(one)
            found.append(
                Row(
                    stack=one.name,
                    kind="stack" if isinstance(one, Stack) else "service",
                    gpu=needs,
                    runner=gpu if needs else cpu,
                    disk_gb=_disk(one),
                    cache_key=_key(one),
                    seconds=last_seconds(settings, one.name),
                    why=reasons,
                )
            )
    return found


def _needs_gpu(stack: Stack) -> bool:
    """Whether it is for GPUs by name, or one of its smoke tests runs on a GPU alone."""
    texts = (path.read_text(encoding="utf-8") for path in CHECKS.glob("[a-z]*.py") if path.stem in stack.smoke)
    return bool(stack.gpus) or any("mark.needs_gpu" in text for text in texts)


def _disk(one: Loaded) -> int:
    lock = readable(one.folder) if isinstance(one, Stack) else None
    size = sum(item.size for item in lock.carried()) if lock else 0
    return -(-size * ROOM // 1_000_000_000)


def _key(one: Loaded) -> str:
    try:
        texts = [(one.folder / name).read_text() for name in (store.STACK_LOCK, store.PYLOCK) if _there(one, name)]
    except (OSError, UnicodeDecodeError) as error:
        raise InputError("a lock cannot be read", where=str(one.folder), why=str(error), fix="restore it") from None
    return f"modelstacks-{one.name}-{sha256_text(''.join(texts))[:16] if texts else 'unlocked'}"


def _there(one: Loaded, name: str) -> bool:
    return (one.folder / name).is_file()
