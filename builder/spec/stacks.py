"""Stack and family files into loaded values. A stack is DIR/NAME/stack.yaml, a family DIR/families/NAME.yaml.

DIR is each of the settings' folders of stacks: first the shipped one, then the user's.
"""

from __future__ import annotations

import difflib
import re
import shutil
import tempfile
from collections.abc import Iterable
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from builder.errors import InputError, InputErrors
from builder.settings import Settings
from builder.settings.program import INSTALLED, SHIPPED
from builder.spec import renamed, yamldoc
from builder.spec.clashes import Clash, clashes
from builder.spec.explain import input_errors, spoken
from builder.spec.files import digest, key_digests
from builder.spec.merge import merge
from builder.spec.model import Family, Stack, StackFile
from builder.spec.named import ReadFrom
from builder.spec.parts import Weight
from builder.spec.projects import projects
from builder.spec.requirements import with_requirements
from builder.spec.service import KIND, Service, ServiceFile
from builder.spec.text import NAME_PATTERN
from builder.spec.yamldoc import Document, shown

STACK_FILE = "stack.yaml"
FAMILIES = "families"
Loaded = Stack | Service

_Read = TypeVar("_Read", bound=BaseModel)


class Stacks:
    """The stacks of one run: each folder of stacks is scanned once, each file in it read once, as far as asked for."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._loaded: dict[str, Loaded] = {}
        self._families: dict[Path, tuple[Family, bytes]] = {}

    @cached_property
    def folders(self) -> dict[str, Path]:
        """Each stack's name and the folder that holds its stack.yaml, in the order of the folders, then by name.

        Raises InputError where a folder of stacks is missing, a name is malformed, or two folders hold one name.
        """
        return stack_names(self._settings)

    @cached_property
    def _family_files(self) -> dict[Path, dict[str, Path]]:
        """The files of families in each folder of stacks, by name."""
        return {
            folder: {path.stem: path for path in sorted((folder / FAMILIES).glob("*.yaml"))}
            for folder in dict.fromkeys(self._settings.stacks)
        }

    def families(self) -> dict[str, Family]:
        """Every family by name; of two with one name the user's. Raises InputErrors for one that is wrong."""
        paths = {name: path for files in self._family_files.values() for name, path in files.items()}
        return {name: self._family(path)[0] for name, path in sorted(paths.items())}

    def folder(self, name: str) -> Path:
        """The folder of a stack. Raises InputError, with close matches and all names, for a name that is none."""
        if name not in self.folders:
            raise InputError(f"there is no stack {name!r}", fix=_choose(name, sorted(self.folders), "stacks"))
        return self.folders[name]

    def load(self, name: str) -> Loaded:
        """A stack, with its family's values merged in, or a service. Raises InputErrors, all of one file at once."""
        if name not in self._loaded:
            self._loaded[name] = self._read(name)
        return self._loaded[name]

    def named(self, words: Iterable[str], default: str = "") -> list[Loaded]:
        """What these words ask for, each once: names, several by comma in one, or `all` alone.

        default: what is meant where they hold no name. Raises InputError for a name that is not there before any file
        is read, and where there is no name at all.
        """
        names = [name for word in words for name in word.replace(",", " ").split()] or [default]
        if names == [""]:
            fix = f"name one or several of: {', '.join(sorted(self.folders))}; or all"
            raise InputError("no stack is named", fix=fix)
        if names == ["all"]:
            names = sorted(self.folders)
        for name in names:
            self.folder(name)
        return [self.load(name) for name in dict.fromkeys(names)]

    def _read(self, name: str) -> Loaded:
        folder = self.folder(name)
        document = yamldoc.read(folder / STACK_FILE)
        if isinstance(document.value, dict) and document.value.get("kind") == KIND:
            said = _validated(document, ServiceFile)
            values = {key: getattr(said, key) for key in ServiceFile.model_fields}
            service = Service.model_construct(name=name, **values)
            service._read_from = ReadFrom(folder=folder, stack=document.source, kind=document.where(("kind",)))
            return service
        stack = with_requirements(_validated(document, StackFile), folder, document)
        path = self._family_path(stack.family, folder.parent, document)
        family, family_source = self._family(path)
        _refuse_clashes(document, clashes(stack, family, stack.family))
        overlays = {one.files: digest(folder, [one.files]) for one in stack.extensions if one.files}
        stack = stack.model_copy(update={"weights": tuple(_placed(one, self._settings) for one in stack.weights)})
        files = digest(folder, [one.folder for one in stack.files])
        keys = key_digests(folder, [one.key for one in stack.apt_archives])
        merged = merge(name, stack, family, files, overlays, projects(stack, folder, document), keys)
        merged._read_from = ReadFrom(
            folder=folder, stack=document.source, kind=document.where(()), family=(path, family_source)
        )
        return merged

    def _family(self, path: Path) -> tuple[Family, bytes]:
        if path not in self._families:
            document = yamldoc.read(path)
            family = _validated(document, Family)
            _refuse_clashes(document, clashes(family))
            self._families[path] = family, document.source
        return self._families[path]

    def _family_path(self, family: str, own: Path, document: Document) -> Path:
        known: dict[str, Path] = {}
        for folder in dict.fromkeys((own, *self._family_files)):
            known = {**self._family_files[folder], **known}
        if family not in known:
            fix = renamed.now(family) or _choose(family, sorted(known), "families")
            raise InputError(f"there is no family {family!r}", where=document.where(("family",)), fix=fix)
        return known[family]


def load(name: str, settings: Settings) -> Loaded:
    """One stack or service by its name, where no more than one is asked for. Raises as `Stacks.load` does."""
    return Stacks(settings).load(name)


def built(one: Loaded) -> Stack:
    """What was loaded, as a stack that is built here. Raises InputError for a service."""
    if isinstance(one, Service):
        problem = f"{one.name} is a service: its image is pulled and carried, never built here"
        fix = "check, lock, fetch, render, build, smoke, stack, export and list take services; leave it out of others"
        raise InputError(problem, where=one.read_from.kind, fix=fix)
    return one


def load_stack(name: str, settings: Settings) -> Stack:
    """One stack by its name, and no service. Raises as `load` and `built` do."""
    return built(load(name, settings))


def stack_names(settings: Settings) -> dict[str, Path]:
    """Each stack's name and the folder that holds its stack.yaml, in the order of the folders, then by name.

    Where this program is installed, a stack of one's own may stand in the place of a shipped one.
    Raises InputError where a folder of stacks is missing, a name is malformed, or two folders hold one name.
    """
    names: dict[str, Path] = {}
    for folder in dict.fromkeys(settings.stacks):
        if INSTALLED and folder == settings.own_stacks and not folder.exists():
            continue  # made when something is put there
        try:
            entries = sorted(folder.iterdir())
        except OSError as error:
            why, fix = error.strerror or "", "give --stacks (or MODELSTACKS_STACKS) a folder that is there"
            raise InputError("the folder of stacks cannot be read", where=shown(folder), why=why, fix=fix) from None
        for entry in entries:
            if entry.name == FAMILIES or not (entry / STACK_FILE).is_file():
                continue
            if not re.fullmatch(NAME_PATTERN, entry.name):
                why = "a stack's name is that of its folder, and becomes part of an image's tag"
                fix = "rename the folder: a-z, 0-9, '.' and '-', at most 64 characters"
                raise InputError(f"{entry.name!r} is not a stack's name", where=shown(entry), why=why, fix=fix)
            if entry.name in names and not (INSTALLED and names[entry.name].parent == SHIPPED):
                why = f"it is also in {shown(names[entry.name])}"
                fix = "rename one of the two folders"
                raise InputError(f"the stack {entry.name} is there twice", where=shown(entry), why=why, fix=fix)
            names[entry.name] = entry
    return names


def own(loaded: Iterable[Loaded], settings: Settings) -> list[Path]:
    """Copy those of the shipped stacks to the user's own folder where this program is installed; gives the copies.

    Nothing is copied in a checkout, where the shipped stacks are the user's to change.
    """
    copies = []
    for one in loaded:
        if INSTALLED and one.folder.parent == SHIPPED:
            settings.own_stacks.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=".copy-", dir=settings.own_stacks) as aside:
                new = shutil.copytree(one.folder, Path(aside) / one.name)
                copies.append(new.rename(settings.own_stacks / one.name))
    return copies


def stack_folder(name: str, settings: Settings) -> Path:
    """The folder of a stack. Raises InputError, with close matches and all names, for a name that is none."""
    return Stacks(settings).folder(name)


def _placed(weight: Weight, settings: Settings) -> Weight:
    """The weight as the site wants it: mounted, where its name is among those that the site bakes into no image."""
    if not any(fnmatchcase(weight.filename, pattern) for pattern in settings.mount_weights):
        return weight
    return weight.model_copy(update={"bake": False})


def _validated(document: Document, model: type[_Read]) -> _Read:
    if not isinstance(document.value, dict):
        problem = f"the file is {yamldoc.readable(document.value)} where `key: value` pairs belong"
        raise InputError(problem, where=document.where(()), fix="start with `summary: ...`")
    try:
        return model.model_validate(document.value)
    except ValidationError as error:
        raise input_errors(error, document, model) from None


def _refuse_clashes(document: Document, found: list[Clash]) -> None:
    if found:
        ordered = sorted(found, key=lambda clash: document.where(clash.path))
        raise InputErrors(
            [
                InputError(f"{spoken(clash.path)}: {clash}", where=document.where(clash.path), fix=clash.fix)
                for clash in ordered
            ]
        )


def _choose(name: str, names: list[str], what: str) -> str:
    close = difflib.get_close_matches(name, names)
    guess = f"did you mean {' or '.join(close)}? " if close else ""
    return f"{guess}The {what} are: {', '.join(names) or 'none yet'}"
