"""What goes into a bundle: files by name, and small texts that are made for it."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote

from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from builder.bundle.manifest import PROGRAM, Member, bad_name
from builder.errors import InputError, JobError
from builder.files import sha256_of
from builder.lock import StackLock, store
from builder.lock.existing import locked
from builder.lock.service import ServiceLock
from builder.render import recipes
from builder.settings import Settings
from builder.settings.program import PROGRAM as OWN_FILES
from builder.settings.program import WITHIN
from builder.spec import Loaded
from builder.spec.files import CHECKS, FILES, own_checks, own_files
from builder.spec.service import Service
from builder.spec.stacks import FAMILIES, STACK_FILE

# All that `make` needs elsewhere; nothing else of a checkout, such as its settings file, can come along.
_FOLDERS = ("docs", "templates", "tools")
_FILES = (
    "LICENSE", "Makefile", "README.md", "pyproject.toml", "requirements.lock",
    "stacks/schema.json", "stacks/service.schema.json", "stacks/families/schema.json", "wheels/README.md",
)  # fmt: skip
OWN_WHEELS = "assets/own-wheels"


@dataclass(frozen=True, kw_only=True)
class Item:
    """A member and where its bytes are: a file, or the bytes themselves."""

    member: Member
    path: Path | None = None
    data: bytes = b""

    def open(self) -> BinaryIO:
        """Its bytes. Raises JobError where the file is not there."""
        if self.path is None:
            return io.BytesIO(self.data)
        try:
            return self.path.open("rb")
        except OSError as error:
            fix = "run `make fetch` of the stacks, then export again"
            why = error.strerror or ""
            raise JobError("a file cannot be read", where=str(self.path), why=why, fix=fix) from None


def text_item(name: str, data: str | bytes) -> Item:
    """A member of these few bytes."""
    data = data.encode() if isinstance(data, str) else data
    return Item(member=Member(name=name, size=len(data), sha256=hashlib.sha256(data).hexdigest()), data=data)


def file_item(name: str, path: Path) -> Item:
    """A member of this file as it is now."""
    member = Member(name=name, size=path.stat().st_size, sha256=sha256_of(path))
    return Item(member=member, path=path)


def program() -> list[Item]:
    """The source of this program, as much as `make` needs."""
    found = {name: OWN_FILES / name for name in _FILES}
    for name, folder in {"builder": WITHIN.parent, **{name: OWN_FILES / name for name in _FOLDERS}}.items():
        inside = {path: path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}
        found |= {
            f"{name}/{part.as_posix()}": path
            for path, part in inside.items()
            if not any(_hidden(word) for word in part.parts) and not path.is_relative_to(WITHIN)
        }
    return [text_item(f"{PROGRAM}/{name}", path.read_bytes()) for name, path in found.items()]


def _hidden(part: str) -> bool:
    return part.startswith(".") or part == "__pycache__" or part.endswith(("~", ".pyc"))


def stack_items(one: Loaded, settings: Settings) -> tuple[list[Item], StackLock | ServiceLock]:
    """A stack's files, its family's and all that its lock names; of a service its own and the blobs of its image.

    Raises InputError where there is no fresh lock.
    """
    if isinstance(one, Service):
        return _service_items(one, settings)
    stack, lock, name, folder = one, locked(one), one.name, one.folder
    items = [text_item(f"stacks/{FAMILIES}/{stack.read_from.family[0].name}", stack.read_from.family[1])]
    items.append(text_item(f"stacks/{name}/{STACK_FILE}", stack.read_from.stack))
    items += [text_item(f"stacks/{name}/{part}", text) for part, text in store.texts(folder, lock).items()]
    items += [
        text_item(f"stacks/{name}/{part}", (folder / part).read_bytes())
        for part in (*stack.requirements, *stack.apt_keys)
    ]
    items += [text_item(f"stacks/{name}/{CHECKS}/{part}.py", text) for part, text in own_checks(folder).items()]
    for part, path in own_files(folder, [*(one.folder for one in stack.files), *stack.overlays, *stack.projects]):
        place = f"stacks/{name}/{FILES}/{part}"
        if why := bad_name(place):
            raise InputError(f"a bundle cannot hold {part!r}", where=str(path), why=why, fix="rename the file")
        items.append(text_item(place, path.read_bytes()))
    if waiting := {recipe.key for recipe in recipes(stack, lock)} - {item.origin.place for item in lock.built}:
        fix = f"run `make build STACK={name}`, which compiles and records them"
        raise InputError(f"{len(waiting)} packages of {name} are not compiled yet", where=str(folder), fix=fix)
    for item in lock.carried():
        if not item.sha256:
            fix = f"run `make fetch STACK={name}`, which records it"
            raise InputError(f"the hash of {item.filename} is not known yet", where=str(folder), fix=fix)
        member = Member(name=f"{item.folder}/{item.filename}", size=item.size, sha256=item.sha256)
        items.append(Item(member=member, path=settings.home / item.folder / item.filename))
    return items, lock


def _service_items(service: Service, settings: Settings) -> tuple[list[Item], ServiceLock]:
    lock, folder = locked(service), f"stacks/{service.name}"
    items = [
        text_item(f"{folder}/{STACK_FILE}", service.read_from.stack),
        text_item(f"{folder}/{store.STACK_LOCK}", (service.folder / store.STACK_LOCK).read_bytes()),
    ]
    for item in lock.carried():
        member = Member(name=f"{item.folder}/{item.filename}", size=item.size, sha256=item.sha256)
        items.append(Item(member=member, path=settings.home / item.folder / item.filename))
    return items, lock


def distinct(items: Iterable[Item]) -> dict[str, Item]:
    """Items by name, each once. Raises InputError where two contents have one name."""
    found: dict[str, Item] = {}
    for item in items:
        other = found.setdefault(item.member.name, item)
        if other.member != item.member:
            why = "stacks of one bundle must agree on what a name stands for"
            raise InputError(f"two files are to be {item.member.name}", why=why, fix="export them one by one")
    return found


def simple(members: Iterable[Member]) -> list[Item]:
    """A static PEP 503 index over every wheel and sdist: simple/index.html and a page per project."""
    projects: dict[str, list[Member]] = {}
    for member in members:
        folder, _, filename = member.name.rpartition("/")
        if folder in ("wheels", f"{PROGRAM}/{OWN_WHEELS}") and (project := _project(filename)):
            projects.setdefault(project, []).append(member)
    pages = {name: _links(found) for name, found in sorted(projects.items())}
    texts = {f"simple/{name}/index.html": _page(f"Links for {name}", links) for name, links in pages.items()}
    texts["simple/index.html"] = _page("Simple index", {f"{name}/": name for name in pages})
    return [text_item(name, text) for name, text in texts.items()]


def _project(filename: str) -> str:
    if filename.endswith(".whl"):
        try:
            return str(parse_wheel_filename(filename)[0])
        except InvalidWheelFilename:
            return ""
    stem = filename.removesuffix(".tar.gz").removesuffix(".zip")
    return str(canonicalize_name(stem.rpartition("-")[0])) if stem != filename else ""


def _links(found: Sequence[Member]) -> dict[str, str]:
    """The wheelhouse comes first where a file is in both."""
    links: dict[str, str] = {}
    for member in sorted(found, key=lambda item: item.name, reverse=True):
        filename = member.name.rpartition("/")[2]
        if filename not in links.values():
            links[f"../../{quote(member.name)}#sha256={member.sha256}"] = filename
    return links


def _page(title: str, links: Mapping[str, str]) -> str:
    rows = "".join(
        f'<a href="{escape(address)}">{escape(name)}</a><br>\n'
        for address, name in sorted(links.items(), key=lambda item: item[1])
    )
    return (
        '<!DOCTYPE html>\n<html><head><meta charset="utf-8">'
        f'<meta name="pypi:repository-version" content="1.0"><title>{escape(title)}</title></head>\n'
        f"<body>\n{rows}</body></html>\n"
    )


def sums(members: Iterable[Member]) -> str:
    """SHA256SUMS as `sha256sum -c` reads it."""
    return "".join(f"{item.sha256}  {item.name}\n" for item in sorted(members, key=lambda item: item.name))
