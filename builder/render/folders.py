"""Named contexts: folders of links to exactly the files that a build may see."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from builder import zips
from builder.errors import InputError, JobError
from builder.files import held, own_folder, same_file, sha256_of, write_atomic
from builder.lock.model import Artifact, StackLock
from builder.render.debs import package_list
from builder.render.groups import Group
from builder.render.guard import require_ours
from builder.settings import Settings

_APT_CONF = """\
Dir::Etc::sourcelist "/mnt/debs/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::State::Lists "/tmp/apt/lists";
Dir::Cache "/tmp/apt/cache";
Dir::Log "/tmp/apt";
DPkg::Options { "--log=/tmp/apt/dpkg.log"; "--force-confold"; };
APT::Sandbox::User "";
"""


@dataclass(frozen=True)
class Rendered:
    """A rendered build. contexts: name -> folder."""

    folder: Path
    dockerfile: Path
    contexts: Mapping[str, Path]

    def document(self) -> dict[str, Any]:
        """For --json."""
        return {"dockerfile": str(self.dockerfile), "contexts": sorted(self.contexts)}


def verified(item: Artifact, settings: Settings) -> Path:
    """Where a fetched file is, hashed again: what is read here and not by an installer has nobody else to check it.

    Raises InputError where it is not there or has other bytes than the lock says.
    """
    path = settings.home / item.folder / item.filename
    if not path.is_file() or sha256_of(path) != item.sha256:
        there = "has other bytes than the lock says" if path.is_file() else "is in the lock but not fetched"
        fix = "run `make fetch VERIFY=1` with the STACK=NAME that is built"
        raise InputError(f"{item.filename} {there}", where=str(path), fix=fix)
    return path


def written(folder: Path, text: str, contexts: Mapping[str, Path]) -> Rendered:
    """Write the Dockerfile that goes with these contexts, last and only where it holds nothing but what is ours."""
    require_ours(text, contexts, str(folder / "Dockerfile"))
    write_atomic(folder / "Dockerfile", text)
    return Rendered(folder, folder / "Dockerfile", contexts)


def wheel_context(folder: Path, group: Group, settings: Settings) -> Path:
    """The context of a group: its wheels, and the requirements file that pins them."""
    context = linked(folder, group.name, group.wheels, settings)
    write(context / "requirements.txt", group.requirements())
    return context


def deb_context(folder: Path, name: str, debs: Sequence[Artifact], settings: Settings) -> Path:
    """The context of .deb files as an apt source that apt.j2 installs from."""
    context = linked(folder, name, debs, settings)
    write(context / "Packages", package_list(context, debs))
    write(context / "sources.list", "deb [trusted=yes] file:/mnt/debs ./\n")
    write(context / "apt.conf", _APT_CONF)
    return context


def keep_only(folder: Path, contexts: Mapping[str, Path]) -> None:
    """Remove contexts of an earlier lock; `empty` stays, the build's own context."""
    own_folder(folder / "contexts")
    own_folder(folder / "contexts" / "empty")
    for there in (folder / "contexts").iterdir():
        if there.name in contexts or there.name == "empty":
            continue
        if there.is_symlink() or not there.is_dir():
            there.unlink()
        else:
            shutil.rmtree(there)


def linked(
    folder: Path, name: str, items: Sequence[Artifact], settings: Settings, *, beside: Container[str] = ()
) -> Path:
    """The context of these files: hard links to the fetched ones, and nothing that an earlier lock left.

    beside: names of files that the caller puts there itself.
    """
    context = folder / "contexts" / name
    own_folder(folder / "contexts")
    own_folder(context)  # what else is in it goes: through a link that would be files of others
    wanted = {item.filename: settings.home / item.folder / item.filename for item in items}
    keep = {"requirements.txt", "Packages", "sources.list", "apt.conf"}
    for there in context.iterdir():
        if there.name not in wanted and there.name not in keep and there.name not in beside:
            there.unlink()
    for filename, source in wanted.items():
        target = context / filename
        if not (target.exists() and _same(source, target)):
            same_file(source, target)
    return context


def _same(source: Path, target: Path) -> bool:
    """Whether target is a link to source, or an untouched copy where the file system allows no link."""
    one, other = source.stat(), target.stat()
    return (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino) or (
        one.st_dev != other.st_dev and (one.st_size, one.st_mtime_ns) == (other.st_size, other.st_mtime_ns)
    )


def write(path: Path, text: str) -> None:
    """Write a small file only where it differs, so that the engine's copy of the context stays valid."""
    if not path.exists() or path.read_text() != text:
        write_atomic(path, text)


def uv_program(lock: StackLock, settings: Settings) -> Path:
    """The folder with the uv program, unpacked from its locked wheel; it never enters the image.

    One unpacked before is kept where it still has the bytes that were unpacked, by the note beside it.
    """
    tool = next(item for item in lock.tools if item.project == "uv")
    folder = settings.assets / "tools" / f"uv-{tool.version}-{tool.sha256[:12]}"
    note = folder.with_name(f".{folder.name}.sha256")
    with held(folder.with_name(f".{folder.name}.lock")):
        program = folder / "uv"
        if not (program.is_file() and note.is_file() and note.read_text() == sha256_of(program)):
            wheel = verified(tool, settings)
            write_atomic(program, _uv_of(wheel), mode=0o755)
            write_atomic(note, sha256_of(program))
    return folder


def _uv_of(wheel: Path) -> bytes:
    try:
        with zips.opened(wheel) as archive:
            members = [name for name in archive.namelist() if name.endswith(".data/scripts/uv")]
            if len(members) == 1:
                return zips.read(archive, members[0])
            why = f"it lists {len(members)} of that name"
    except zipfile.BadZipFile as error:
        why = str(error)
    raise JobError("the uv wheel holds no uv program", where=str(wheel), why=why, fix="run `make fetch VERIFY=1`")
