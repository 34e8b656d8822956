"""What was worked out of files, kept for the next run that finds the very same files: a run over hundreds of stacks
has little else to do. Nothing that is kept is ever needed, and what cannot be read or written is worked out again."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from typing_extensions import Self

from builder.files import sha256_text

if TYPE_CHECKING:
    import sqlite3  # which most runs do not need

_MOST = 4 << 20  # bytes of one; the files of a large lock take 0.1 MB
_WAIT = 1  # seconds for another run that writes
_PROGRAM = Path(__file__).resolve().parent


class Kept:
    """Values by the name of what they are of, each with the digest of all that it was worked out from.

    They lie in one file (SQLite), written once, at the end: hundreds of files took longer to make than to work out.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._new: dict[str, tuple[str, str]] = {}
        self._open: sqlite3.Connection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Write what is new."""
        if self._open:
            self._open.close()
        if self._new and not self._written():
            with suppress(OSError):
                self._path.unlink()  # it is no file of ours, or a spoiled one
                self._written()

    def get(self, name: str, given: str) -> Any:  # noqa: ANN401 - JSON
        """What is kept of a name, where it was worked out from this; else None."""
        import sqlite3  # noqa: PLC0415

        with suppress(sqlite3.Error, ValueError, RecursionError, TypeError):
            self._open = self._open or self._connected("mode=ro")
            asked = "SELECT value FROM kept WHERE name = ? AND given = ? AND length(value) <= ?"
            if found := self._open.execute(asked, (name, given, _MOST)).fetchone():
                return json.loads(found[0])
        return None

    def put(self, name: str, given: str, value: Any) -> None:  # noqa: ANN401 - JSON
        """Keep what was worked out from this, in the place of what was kept of that name."""
        self._new[name] = (given, json.dumps(value))

    def _connected(self, how: str) -> sqlite3.Connection:
        import sqlite3  # noqa: PLC0415

        return sqlite3.connect(f"{self._path.absolute().as_uri()}?{how}", timeout=_WAIT, uri=True)

    def _written(self) -> bool:
        """Write what is new, as far as that can be done; False where the file is none that could be written to."""
        import sqlite3  # noqa: PLC0415

        rows = [(name, *values) for name, values in self._new.items()]
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with closing(self._connected("mode=rwc")) as file, file:
                file.execute("PRAGMA synchronous = OFF")  # a machine that crashes may cost the file
                file.execute("CREATE TABLE IF NOT EXISTS kept (name TEXT PRIMARY KEY, given TEXT, value TEXT)")
                file.executemany("INSERT OR REPLACE INTO kept VALUES (?, ?, ?)", rows)
        except (OSError, ValueError, sqlite3.OperationalError):  # no such place, not UTF-8, or held by another run
            return True
        except sqlite3.DatabaseError:
            return False
        return True


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
