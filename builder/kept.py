"""What was worked out of files, kept for the next run that finds the very same files: a run over hundreds of stacks
has little else to do. Nothing that is kept is ever needed, and what cannot be read or written is worked out again."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from builder.files import read_bounded, sha256_text

_MOST = 4 << 20  # bytes of one; the files of a large lock take 0.1 MB
_PROGRAM = Path(__file__).resolve().parent


class Kept:
    """Values by the name of what they are of, each with the digest of all that it was worked out from."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, name: str, given: str) -> Any:  # noqa: ANN401 - JSON
        """What is kept of a name, where it was worked out from this; else None."""
        with suppress(OSError, ValueError, RecursionError, TypeError, KeyError):
            found = json.loads(read_bounded(self._path(name), _MOST))
            return found["value"] if found["given"] == given else None
        return None

    def put(self, name: str, given: str, value: Any) -> None:  # noqa: ANN401 - JSON
        """Keep what was worked out from this, in the place of what was kept of that name."""
        path = self._path(name)
        aside = path.with_name(f".{path.name}.{os.getpid()}")
        with suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            aside.write_text(json.dumps({"given": given, "value": value}), "utf-8")
            aside.replace(path)

    def _path(self, name: str) -> Path:
        return self._folder / f"{sha256_text(name)[:32]}.json"


def code(*rooms: str) -> str:
    """A digest of the program's own files in these rooms, as far as their sizes and times tell: another program works
    out other values."""
    return sha256_text(repr(sorted(stamp for room in rooms for stamp in _stamps(_PROGRAM / room))))


def _stamps(folder: Path) -> Iterable[tuple[str, int, int]]:
    with os.scandir(folder) as entries:
        for one in entries:
            if one.is_dir() and one.name != "__pycache__":
                yield from _stamps(Path(one.path))
            elif one.name.endswith((".py", ".yaml")):
                about = one.stat()
                yield one.path, about.st_size, about.st_mtime_ns
