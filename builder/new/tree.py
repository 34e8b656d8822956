"""The files of an input, read once and within bounds: a folder, or a git source at a commit. Links are not followed."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Iterator
from pathlib import Path

from builder.errors import InputError
from builder.files import scratch
from builder.settings import Settings

MOST_FILES, LARGEST, MOST_BYTES = 20_000, 1 << 20, 200 << 20  # a repository of code is far below each
_SKIPPED = {".git", "node_modules", "__pycache__", ".venv", "venv", "site-packages"}


class Tree:
    """Texts by path. files: the bytes of each file that may be read; named: the paths of all that were seen."""

    def __init__(self, files: Iterator[tuple[str, int, bytes]], shown: str) -> None:
        self.shown = shown
        self.files: dict[str, bytes] = {}
        self.named: list[str] = []
        total = 0
        for path, size, data in files:
            self.named.append(path)
            total += len(data)
            if len(self.named) > MOST_FILES or total > MOST_BYTES:
                why = f"at most {MOST_FILES} files and {MOST_BYTES >> 20} MiB are read"
                raise InputError(
                    "this is too large for a model's code", where=shown, why=why, fix="name a folder in it"
                )
            if size <= LARGEST:
                self.files[path] = data

    def text(self, path: str) -> str:
        """A file as text, what is no UTF-8 in it replaced; "" for none."""
        return self.files.get(path, b"").decode("utf-8-sig", errors="replace")


def of_folder(folder: Path) -> Tree:
    """The files below a folder. Raises InputError for what cannot be read or is too much."""

    def walk() -> Iterator[tuple[str, int, bytes]]:
        for top, folders, names in os.walk(folder):
            folders[:] = sorted(one for one in folders if one not in _SKIPPED and not Path(top, one).is_symlink())
            for name in sorted(names):
                path = Path(top, name)
                if path.is_symlink() or not path.is_file():
                    continue
                size = path.stat().st_size
                data = path.read_bytes() if size <= LARGEST and _wanted(name) else b""
                yield path.relative_to(folder).as_posix(), size, data

    return Tree(walk(), str(folder))


def of_git(url: str, commit: str, settings: Settings) -> Tree:
    """The files of a commit, submodules too, fetched as a stack's source is. Raises as archive_commit does."""
    from builder.net.git import archive_commit  # noqa: PLC0415

    with scratch(settings.assets / ".scratch", "new-") as aside:
        tar = Path(aside) / "tree.tar"
        archive_commit(url, commit, tar, settings)

        def members() -> Iterator[tuple[str, int, bytes]]:
            with tarfile.open(tar) as archive:
                for one in archive:
                    if not one.isfile() or any(part in _SKIPPED for part in one.name.split("/")):
                        continue
                    small = one.size <= LARGEST and _wanted(one.name.rpartition("/")[2])
                    stream = archive.extractfile(one) if small else None
                    yield one.name, one.size, stream.read() if stream else b""

        return Tree(members(), f"{url}@{commit[:12]}")


def _wanted(name: str) -> bool:
    """Whether what the file says is looked at; of the others the name is enough."""
    endings = (".py", ".txt", ".in", ".toml", ".yml", ".yaml", ".cfg", ".md", ".rst", ".sh", ".ipynb")
    return name.endswith(endings) or name.lower().startswith(("dockerfile", ".gitmodules", ".python-version"))
