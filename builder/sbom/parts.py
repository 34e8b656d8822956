"""The parts of an image, as its lock and the fetched files tell them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from packageurl import PackageURL

from builder.errors import InputError
from builder.lock.model import Artifact, StackLock
from builder.net.urls import clean_url
from builder.render.recipe import recipes
from builder.sbom import licences
from builder.settings import Settings
from builder.spec.model import Stack

Role = Literal["library", "operating system", "source", "model", "image layer", "build tool"]
_GITHUB = re.compile(r"https://github\.com/([^/]+)/([^/]+?)(\.git)?/?$")


@dataclass(frozen=True, kw_only=True)
class Part:
    """One file that went into an image, or that it was built with.

    purl: its package address. where: a public address of it, "" where a mirror serves it by name. licences: as the file
    itself or the stack states them, none where neither does. shipped: whether it is in the image.
    """

    role: Role
    name: str
    version: str
    filename: str
    size: int
    sha256: str
    purl: str
    where: str
    licences: tuple[str, ...]
    shipped: bool


def parts(stack: Stack, lock: StackLock, settings: Settings) -> list[Part]:
    """Every part of a stack's image, what it ships first. Raises InputError for what is not fetched or not compiled."""
    if not {one.key for one in recipes(stack, lock)} <= {item.origin.place for item in lock.built}:
        why = "its extensions are not compiled yet, so nobody can tell what they come to"
        raise InputError(f"{stack.name} cannot be listed", why=why, fix=f"make build STACK={stack.name}")
    notes = {item: weight.licence or "" for weight, item in zip(stack.baked, lock.weights, strict=True)}
    wheels = [item for item in lock.wheels if item.kind == "wheel"]
    sdists = [item for item in lock.wheels if item.kind == "sdist"]  # what is installed is compiled of it
    shipped = dict.fromkeys((*_layers(lock), *lock.debs, *wheels, *lock.built, *lock.sources, *lock.weights))
    needed = (*lock.tools, *sdists, *lock.toolchain, *lock.toolchain_debs, *lock.extension_sources, *lock.archives)
    found = [_part(item, lock, settings, notes.get(item, ""), stack.name, shipped=True) for item in shipped]
    rest = dict.fromkeys(item for item in needed if item not in shipped)
    return found + [_part(item, lock, settings, "", stack.name, shipped=False) for item in rest]


def _layers(lock: StackLock) -> Iterator[Artifact]:
    yield from lock.base.debs
    yield from (blob for blob in lock.base.blobs if blob.project == "layer")


def _part(item: Artifact, lock: StackLock, settings: Settings, note: str, stack: str, *, shipped: bool) -> Part:
    path = settings.home / item.folder / item.filename
    if item.pending or not path.is_file():
        why = "its licence is read from the file itself" if item.sha256 else "its sha256 is not known yet"
        fix = f"make fetch STACK={stack}"
        raise InputError(f"{item.filename} is not fetched", where=str(path), why=why, fix=fix)
    return Part(
        role=_role(item) if shipped else "build tool",
        name=item.project,
        version=item.version,
        filename=item.filename,
        size=item.size,
        sha256=item.sha256,
        purl=_purl(item, lock).to_string(),
        where=_where(item),
        licences=_licences(item, path, note),
        shipped=shipped,
    )


def _role(item: Artifact) -> Role:
    kinds: dict[str, Role] = {"deb": "operating system", "source": "source", "weight": "model", "blob": "image layer"}
    return kinds.get(item.kind, "library")


def _licences(item: Artifact, path: Path, note: str) -> tuple[str, ...]:
    if note:
        return (note,)
    if path.suffix == ".whl":
        return licences.of_wheel(path)
    return licences.of_deb(path) if item.kind == "deb" else ()


def _purl(item: Artifact, lock: StackLock) -> PackageURL:
    """As the purl specification has each type; what has no type of its own is generic, with its checksum."""
    origin = item.origin
    if item.kind == "deb":
        arch = item.filename.removesuffix(".deb").rpartition("_")[2]
        own = origin.scheme == "https"  # of an archive of the stack's own
        maker = str(urlsplit(origin.place).hostname) if own else origin.place
        more = {"download_url": origin.place} if own else {}
        return PackageURL("deb", maker, item.project, item.version, {"arch": arch, **more})
    if origin.scheme == "index":
        index = lock.indexes.get(origin.place)
        named = {"repository_url": clean_url(index.url)} if index else {}
        return PackageURL("pypi", None, item.project, item.version, {"file_name": item.filename, **named})
    if origin.scheme == "hf":
        owner, _, name = origin.place.partition("/")
        return PackageURL("huggingface", owner, name, origin.revision, None, origin.path)
    if origin.scheme == "git" and (found := _GITHUB.match(origin.place)):
        return PackageURL("github", found[1].lower(), found[2].lower(), origin.revision)
    if item.kind == "blob":
        host, _, name = origin.place.rpartition("/")
        return PackageURL("oci", None, name, f"sha256:{item.sha256}", {"repository_url": f"{host}/{name}".lower()})
    more = {"checksum": f"sha256:{item.sha256}"}
    if origin.scheme == "git":
        more["vcs_url"] = f"git+{clean_url(origin.place)}@{origin.revision}"
    elif where := _where(item):
        more["download_url"] = where
    return PackageURL("generic", None, item.project, item.version, more)


def _where(item: Artifact) -> str:
    origin = item.origin
    if origin.scheme == "git":
        return f"git+{clean_url(origin.place)}@{origin.revision}"
    if origin.scheme == "hf":
        return f"https://huggingface.co/{origin.place}/resolve/{origin.revision}/{origin.path}"
    return clean_url(origin.place) if origin.scheme == "https" else ""
