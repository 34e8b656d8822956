"""The named contexts of a build: folders under build/NAME/contexts holding links to exactly the files of the lock."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from builder.errors import InputError, JobError
from builder.files import held, same_file, write_atomic
from builder.lock.model import Artifact, StackLock
from builder.render.debs import package_list
from builder.render.dockerfile import dockerfile
from builder.render.groups import grouped
from builder.settings import Settings
from builder.spec.model import Stack

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


def render(stack: Stack, lock: StackLock, settings: Settings) -> Rendered:
    """Write build/NAME/Dockerfile and its contexts.

    Raises InputError, before anything is written, where a locked file is not fetched or is an sdist.
    """
    folder = settings.build / stack.name
    _require_fetched(lock, settings)
    with held(folder / ".rendering"):
        write_atomic(folder / "Dockerfile", dockerfile(stack, lock, settings.templates))
        contexts = {"uv": _uv(lock, settings)}
        for group in grouped(lock.wheels):
            contexts[group.name] = _linked(folder, group.name, group.wheels, settings)
            _write(contexts[group.name] / "requirements.txt", group.requirements())
        for name, items in (("debs", lock.debs), ("sources", lock.sources), ("weights", lock.weights)):
            if items:
                contexts[name] = _linked(folder, name, items, settings)
        if lock.debs:
            _write(contexts["debs"] / "Packages", package_list(contexts["debs"], lock.debs))
            _write(contexts["debs"] / "sources.list", "deb [trusted=yes] file:/mnt/debs ./\n")
            _write(contexts["debs"] / "apt.conf", _APT_CONF)
        (folder / "contexts" / "empty").mkdir(parents=True, exist_ok=True)
        for there in (folder / "contexts").iterdir():
            if there.name not in contexts and there.name != "empty":
                shutil.rmtree(there)
    return Rendered(folder, folder / "Dockerfile", contexts)


def _require_fetched(lock: StackLock, settings: Settings) -> None:
    if lock.pending:
        problem = f"the hash of {', '.join(item.project for item in lock.pending)} is pending"
        raise InputError(problem, fix=f"run `make fetch STACK={lock.stack}`, which records it")
    for item in lock.artifacts():
        path = settings.home / item.folder / item.filename
        if item.kind == "sdist":
            fix = "choose a version that has a wheel, and take it out of `from-source`"
            raise InputError(f"{item.project} is locked as an sdist, which cannot be built yet", fix=fix)
        # A base and an archive are needed to make what a build needs, not by the build itself.
        if item.kind in ("archive", "blob"):
            continue
        if item not in lock.base.debs and not path.exists():
            fix = f"run `make fetch STACK={lock.stack}`"
            raise InputError(f"{item.filename} is in the lock but not fetched", where=str(path), fix=fix)


def _linked(folder: Path, name: str, items: Sequence[Artifact], settings: Settings) -> Path:
    """The context of these files: hard links to the fetched ones, and nothing that an earlier lock left."""
    context = folder / "contexts" / name
    context.mkdir(parents=True, exist_ok=True)
    wanted = {item.filename: settings.home / item.folder / item.filename for item in items}
    keep = {"requirements.txt", "Packages", "sources.list", "apt.conf"}
    for there in context.iterdir():
        if there.name not in wanted and there.name not in keep:
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


def _write(path: Path, text: str) -> None:
    """Write a small file only where it differs, so that the engine's copy of the context stays valid."""
    if not path.exists() or path.read_text() != text:
        write_atomic(path, text)


def _uv(lock: StackLock, settings: Settings) -> Path:
    """The folder with the uv program, unpacked once from its locked wheel; it never enters the image."""
    tool = next(item for item in lock.tools if item.project == "uv")
    folder = settings.assets / "tools" / f"uv-{tool.version}-{tool.sha256[:12]}"
    wheel = settings.home / tool.folder / tool.filename
    with held(folder.with_name(f".{folder.name}.lock")):
        if not (folder / "uv").exists():
            with zipfile.ZipFile(wheel) as archive:
                members = [name for name in archive.namelist() if name.endswith(".data/scripts/uv")]
                if len(members) != 1:
                    fix = "run `make fetch VERIFY=1`"
                    raise JobError("the uv wheel holds no uv program", where=str(wheel), fix=fix)
                write_atomic(folder / "uv", archive.read(members[0]), mode=0o755)
    return folder
