"""What an image takes of the compiled wheels: the wheels themselves, or, of an editable one, what was compiled."""

from __future__ import annotations

import base64
import hashlib
import io
import re
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from packaging.utils import canonicalize_name, parse_wheel_filename

from builder import zips
from builder.errors import InputError, JobError
from builder.files import write_atomic
from builder.lock.model import Artifact, StackLock
from builder.origin import Origin
from builder.render.folders import linked, verified, write
from builder.render.groups import Group
from builder.render.recipe import Recipe, recipes
from builder.settings import Settings
from builder.spec.model import Stack

EXTENSIONS = "extensions"
_INPLACE = "inplace.tar"
_DATES = (1980, 1, 1, 0, 0, 0)  # the first that zip can hold


def wheels_to_install(stack: Stack, lock: StackLock, folder: Path, settings: Settings) -> Path:
    """The context `extensions`. Raises InputError where a package is not compiled yet or its wheel is gone."""
    found = {recipe.project: (recipe, built_wheel(recipe, lock, settings)) for recipe in recipes(stack, lock)}
    plain = [item for recipe, item in found.values() if not recipe.editable]
    editable = [(recipe, item) for recipe, item in found.values() if recipe.editable]
    names = {_editable_name(item): (recipe, item) for recipe, item in editable}
    context = linked(folder, EXTENSIONS, plain, settings, beside=[*names, *([_INPLACE] if names else [])])
    requirements = Group(EXTENSIONS, tuple(plain)).requirements()
    inplace = io.BytesIO()
    with tarfile.open(fileobj=inplace, mode="w") as out:
        for name, (recipe, item) in sorted(names.items()):
            wheel = verified(item, settings)
            data = _editable_wheel(wheel, item, recipe)
            write_atomic(context / name, data)
            sha256 = hashlib.sha256(data).hexdigest()
            requirements += f"{item.project}=={item.version} --hash=sha256:{sha256}\n"
            _add_compiled(wheel, recipe, out)
    if names:
        write_atomic(context / _INPLACE, inplace.getvalue())
    write(context / "requirements.txt", requirements)
    return context


def built_wheel(recipe: Recipe, lock: StackLock, settings: Settings) -> Artifact:
    """The locked wheel of a recipe. Raises InputError where it is not compiled yet, or not here."""
    item = next((one for one in lock.built if one.origin == Origin("built", recipe.key)), None)
    if item is None:
        raise InputError(f"{recipe.project} is not compiled yet", fix=f"run `make build STACK={lock.stack}`")
    path = settings.home / item.folder / item.filename
    if not path.exists():
        fix = f"run `make build STACK={lock.stack}`"
        raise InputError(f"the compiled {item.filename} is gone", where=str(path), fix=fix)
    return item


def compiled_files(names: list[str]) -> dict[str, str]:
    """Of a wheel's member names, those of shared objects: name in the wheel -> path below the folder it installs to."""
    found = {}
    for name in names:
        path = re.sub(r"^[^/]+\.data/(platlib|purelib)/", "", name)
        if re.search(r"\.so(\.\d+)*$", path) and ".." not in path.split("/") and not path.startswith("/"):
            found[name] = path
    return found


@contextmanager
def _opened(wheel: Path) -> Iterator[zipfile.ZipFile]:
    """A compiled wheel. Raises JobError where it cannot be read."""
    try:
        with zips.opened(wheel) as archive:
            yield archive
    except zipfile.BadZipFile as error:
        problem = "the compiled wheel cannot be read"
        raise JobError(problem, where=str(wheel), why=str(error), fix="compile it again") from None


def _folder(recipe: Recipe) -> PurePosixPath:
    """Where an editable extension's packages are in the image."""
    assert recipe.extension is not None  # noqa: S101 - only extensions are editable
    return PurePosixPath(recipe.folder) / recipe.extension.package_dir


def _add_compiled(wheel: Path, recipe: Recipe, out: tarfile.TarFile) -> None:
    with _opened(wheel) as archive:
        for name, path in sorted(compiled_files(archive.namelist()).items()):
            data = zips.read(archive, name)
            entry = tarfile.TarInfo(str(_folder(recipe) / path).lstrip("/"))
            entry.size, entry.mode = len(data), 0o755
            out.addfile(entry, io.BytesIO(data))


def _editable_name(item: Artifact) -> str:
    name, version, _, _ = parse_wheel_filename(item.filename)
    return f"{canonicalize_name(name).replace('-', '_')}-{version}-py3-none-any.whl"


def _editable_wheel(wheel: Path, item: Artifact, recipe: Recipe) -> bytes:
    """A wheel as PEP 660 has it: the metadata of the compiled one, and a .pth that names the source's folder."""
    with _opened(wheel) as archive:
        metadata = next((name for name in archive.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", name)), "")
        if not metadata:
            raise JobError("the compiled wheel has no METADATA", where=str(wheel), fix="compile it again")
        info = metadata.removesuffix("/METADATA")
        files = {f"__editable__.{item.project.replace('-', '_')}.pth": f"{_folder(recipe)}\n".encode()}
        files[metadata] = zips.read(archive, metadata)
        files[f"{info}/WHEEL"] = (
            b"Wheel-Version: 1.0\nGenerator: modelstacks\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
    record = "".join(f"{name},sha256={_digest(data)},{len(data)}\n" for name, data in files.items())
    files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as out:
        for name, data in files.items():
            out.writestr(zipfile.ZipInfo(name, _DATES), data)
    return made.getvalue()


def _digest(data: bytes) -> str:
    """A sha256 as RECORD writes it."""
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
