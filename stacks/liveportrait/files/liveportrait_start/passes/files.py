"""Files that are whole or not there."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path


def write(path: Path, text: str) -> None:
    """A small file, written aside and renamed."""
    aside = path.with_name(f"{path.name}.part")
    with aside.open("w", encoding="utf-8") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    aside.replace(path)


def sha256(path: Path) -> str:
    """The hash of a file, or of the files of a folder by name."""
    digest = hashlib.sha256()
    if path.is_dir():
        for one in sorted(path.rglob("*")):
            if one.is_file():
                digest.update(f"{one.relative_to(path)}\0{sha256(one)}\n".encode())
        return digest.hexdigest()
    with path.open("rb") as data:
        for block in iter(lambda: data.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()
