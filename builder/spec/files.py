"""The files of its own that a stack puts into its image: what lies under stacks/NAME/files/."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from builder.errors import InputError
from builder.files import read_bounded, sha256_of, sha256_text
from builder.spec.yamldoc import shown

FILES, CHECKS = "files", "checks"
_MOST = 2000  # files of a stack's own: programs, not data


def own_files(folder: Path, names: Sequence[str]) -> Iterator[tuple[str, Path]]:
    """Each file below the named folders of folder/files: its path below that, sorted, and where it is.

    Left out: hidden files, byte code. Raises InputError for a folder that is not there or holds no file, for a link
    (the named folders and those above them, up to folder/files, too), for what is no file, and for too many files.
    One link is good: folder/files itself to `../STACK/files`, the files of a stack beside it.
    """
    root = folder / FILES
    found = 0
    for name in dict.fromkeys(names):
        top = root / name
        for part in (*reversed(Path(name).parents), Path(name)):
            if root / part != root or not _shares(root):
                _refuse_link(root / part, folder)
        if not top.is_dir():
            fix = f"make the folder {FILES}/{name} beside stack.yaml, or correct `from`"
            raise InputError(f"there is no folder {FILES}/{name}", where=shown(root), fix=fix)
        before = found
        for path in sorted(top.rglob("*")):
            inside = path.relative_to(root)
            if any(part.startswith(".") or part == "__pycache__" for part in inside.parts) or path.suffix == ".pyc":
                continue
            _refuse_link(path, root)
            if path.is_dir():
                continue
            if not path.is_file():
                fix = "put a file there, or take it away"
                raise InputError(f"{inside} is neither a file nor a folder", where=shown(path), fix=fix)
            found += 1
            if found > _MOST:
                fix = "give large data as `weights` and code as `sources`"
                raise InputError(f"{FILES}/ holds more than {_MOST} files", where=shown(root), fix=fix)
            yield inside.as_posix(), path
        if found == before:
            fix = "put a file into it (hidden ones do not count), or take it out of `files`"
            raise InputError(f"there is no file in {FILES}/{name}", where=shown(top), fix=fix)


def own_checks(folder: Path) -> dict[str, str]:
    """The text of each smoke test of a stack's own, checks/NAME.py beside stack.yaml, by name.

    Raises InputError for a link, a name that is none, a file of more than 1 MiB and one that is not UTF-8.
    """
    found = {}
    for path in sorted((folder / CHECKS).glob("*.py")):
        for part in (folder / CHECKS, path):
            _refuse_link(part, folder)
        if not re.fullmatch(r"[a-z0-9_]+", path.stem):
            raise InputError(f"{path.name} is no name of a check", where=shown(path), fix="use a-z, 0-9 and _")
        try:
            found[path.stem] = read_bounded(path, 1 << 20).decode("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            fix = "make it a file of UTF-8 text of at most 1 MiB"
            raise InputError("a check cannot be read", where=shown(path), why=str(error), fix=fix) from None
    return found


def key_digests(folder: Path, names: Sequence[str]) -> dict[str, str]:
    """The sha256 of each key file beside stack.yaml. Raises InputError for a link, and for what is no file of 1 MiB."""
    found = {}
    for name in dict.fromkeys(names):
        path = folder / name
        _refuse_link(path, folder)
        try:
            found[name] = hashlib.sha256(read_bounded(path, 1 << 20)).hexdigest()
        except OSError as error:
            fix = "put the archive's public key there, as its maker gives it (.asc or .gpg)"
            raise InputError("a key cannot be read", where=shown(path), why=error.strerror or "", fix=fix) from None
    return found


def _shares(root: Path) -> bool:
    """Whether a stack's folder of files is a link to that of a stack beside it, which is a folder itself."""
    if not root.is_symlink() or not re.fullmatch(rf"\.\./[A-Za-z0-9][A-Za-z0-9._-]*/{FILES}", str(root.readlink())):
        return False
    other = root.parent.parent / root.readlink().parent.name
    return not other.is_symlink() and not (other / FILES).is_symlink()


def _refuse_link(path: Path, below: Path) -> None:
    if path.is_symlink():
        why = "what lies outside the stack's folder would come into its image and bundle"
        fix = "put the file or folder itself there"
        raise InputError(f"{path.relative_to(below)} is a link", where=shown(path), why=why, fix=fix)


def mode(path: Path) -> int:
    """0o755 for a script or program, else 0o644: by its first bytes, as a bundle or a mount may lose its own mode."""
    with path.open("rb") as stream:
        return 0o755 if stream.read(4).startswith((b"#!", b"\x7fELF")) else 0o644


def digest(folder: Path, names: Sequence[str]) -> str:
    """What those files are, as 64 hex digits: names, modes and content; "" for none."""
    rows = [(name, mode(path), sha256_of(path)) for name, path in own_files(folder, names)]
    return sha256_text(json.dumps(rows)) if rows else ""
