"""Stack and family files into Stack values. A stack is DIR/NAME/stack.yaml, a family DIR/families/NAME.yaml.

DIR is each of the settings' folders of stacks: first the shipped one, then the user's.
"""

from __future__ import annotations

import difflib
import re
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from builder.errors import InputError, InputErrors
from builder.settings import Settings
from builder.spec import yamldoc
from builder.spec.explain import input_errors, spoken
from builder.spec.files import digest
from builder.spec.model import Clash, Family, Stack, StackFile, clashes, merge
from builder.spec.parts import Weight
from builder.spec.service import KIND, Service, ServiceFile
from builder.spec.text import NAME_PATTERN
from builder.spec.yamldoc import Document, shown

STACK_FILE = "stack.yaml"
FAMILIES = "families"

_Read = TypeVar("_Read", bound=BaseModel)


def stack_names(settings: Settings) -> dict[str, Path]:
    """Each stack's name and the folder that holds its stack.yaml, in the order of the folders, then by name.

    Raises InputError where a folder of stacks is missing, a name is malformed, or two folders hold one name.
    """
    names: dict[str, Path] = {}
    for folder in dict.fromkeys(settings.stacks):
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
            if entry.name in names:
                why = f"it is also in {shown(names[entry.name])}"
                fix = "rename one of the two folders"
                raise InputError(f"the stack {entry.name} is there twice", where=shown(entry), why=why, fix=fix)
            names[entry.name] = entry
    return names


def stack_folder(name: str, settings: Settings) -> Path:
    """The folder of a stack. Raises InputError, with close matches and all names, for a name that is none."""
    names = stack_names(settings)
    if name not in names:
        raise InputError(f"there is no stack {name!r}", fix=_choose(name, sorted(names), "stacks"))
    return names[name]


def load_stack(name: str, settings: Settings) -> Stack:
    """A stack by its name, with its family's values merged in. Raises InputErrors, all of one file at once."""
    folder = stack_folder(name, settings)
    document = yamldoc.read(folder / STACK_FILE)
    _refuse_service(document, name)
    stack = _validated(document, StackFile)
    family = load_family(_family_path(stack.family, folder.parent, settings, document))
    _refuse_clashes(document, clashes(stack, family, stack.family))
    overlays = {one.files: digest(folder, [one.files]) for one in stack.extensions if one.files}
    stack = stack.model_copy(update={"weights": tuple(_placed(one, settings) for one in stack.weights)})
    return merge(name, stack, family, digest(folder, [one.folder for one in stack.files]), overlays)


def _placed(weight: Weight, settings: Settings) -> Weight:
    """The weight as the site wants it: mounted, where its name is among those that the site bakes into no image."""
    if not any(fnmatchcase(weight.filename, pattern) for pattern in settings.mount_weights):
        return weight
    return weight.model_copy(update={"bake": False})


def load_service(name: str, settings: Settings) -> Service | None:
    """A service by its name; None for a stack that is built. Raises InputErrors, all of one file at once."""
    document = yamldoc.read(stack_folder(name, settings) / STACK_FILE)
    if not _is_service(document):
        return None
    found = _validated(document, ServiceFile)
    return Service.model_construct(name=name, **{key: getattr(found, key) for key in ServiceFile.model_fields})


def _is_service(document: Document) -> bool:
    return isinstance(document.value, dict) and document.value.get("kind") == KIND


def _refuse_service(document: Document, name: str) -> None:
    if _is_service(document):
        problem = f"{name} is a service: its image is pulled and carried, never built here"
        fix = "check, lock, fetch, render, build, smoke, stack, export and list take services; leave it out of others"
        raise InputError(problem, where=document.where(("kind",)), fix=fix)


def family_file(name: str, settings: Settings) -> Path:
    """The file of the family that a stack extends. Raises InputErrors, all of the stack file at once."""
    folder = stack_folder(name, settings)
    document = yamldoc.read(folder / STACK_FILE)
    return _family_path(_validated(document, StackFile).family, folder.parent, settings, document)


def load_family(path: Path) -> Family:
    """A family from its file. Raises InputErrors, all of the file at once."""
    document = yamldoc.read(path)
    family = _validated(document, Family)
    _refuse_clashes(document, clashes(family))
    return family


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
        ordered = sorted(found, key=lambda clash: document.spots[clash.path].line)
        raise InputErrors(
            [
                InputError(f"{spoken(clash.path)}: {clash}", where=document.where(clash.path), fix=clash.fix)
                for clash in ordered
            ]
        )


def _family_path(family: str, own: Path, settings: Settings, document: Document) -> Path:
    known: dict[str, Path] = {}
    for folder in dict.fromkeys((own, *settings.stacks)):
        for path in sorted((folder / FAMILIES).glob("*.yaml")):
            known.setdefault(path.stem, path)
    if family not in known:
        fix = _choose(family, sorted(known), "families")
        raise InputError(f"there is no family {family!r}", where=document.where(("family",)), fix=fix)
    return known[family]


def _choose(name: str, names: list[str], what: str) -> str:
    close = difflib.get_close_matches(name, names)
    guess = f"did you mean {' or '.join(close)}? " if close else ""
    return f"{guess}The {what} are: {', '.join(names) or 'none yet'}"
