"""The files of requirements beside a stack.yaml: one requirement a line, held to what `packages` may hold."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from pydantic import TypeAdapter, ValidationError

from builder.errors import InputError, InputErrors
from builder.files import read_bounded
from builder.spec.model import StackFile
from builder.spec.text import PackageRequirement
from builder.spec.yamldoc import Document, shown

_LARGEST = 1 << 20  # bytes


def with_requirements(stack: StackFile, folder: Path, document: Document) -> StackFile:
    """The stack with what its `requirements` say added to its packages.

    Raises InputError for a file that is none or a link, InputErrors with file:line for lines that are no requirement
    or speak of a project for the second time.
    """
    if not stack.requirements:
        return stack
    seen = {canonicalize_name(Requirement(item).name): document.where(("packages",)) for item in stack.packages}
    found, wrong = [], []
    for place, name in enumerate(stack.requirements):
        for where, line in _lines(folder / name, document.where(("requirements", place))):
            try:
                item = _requirement().validate_python(line)
            except ValidationError as error:
                wrong.append(_refused(line, error, where))
                continue
            project = canonicalize_name(Requirement(item).name)
            if project in seen:
                why = f"it is first at {seen[project]}"
                wrong.append(InputError(f"{project} is there twice", where=where, why=why, fix="keep one of the two"))
            seen.setdefault(project, where)
            found.append(item)
    if wrong:
        raise InputErrors(wrong)
    return stack.model_copy(update={"packages": (*stack.packages, *found)})


@cache
def _requirement() -> TypeAdapter[str]:
    return TypeAdapter(PackageRequirement)


def _refused(line: str, error: ValidationError, where: str) -> InputError:
    if line.startswith("-") or "://" in line:
        fix = "run `make new NAME=NAME FROM=THIS_FILE`, which says where each of them belongs in stack.yaml"
        return InputError(f"{line[:80]!r} is no requirement but an option of pip", where=where, fix=fix)
    context = error.errors()[0].get("ctx", {})
    problem = context.get("problem", f"{line[:80]!r} is no requirement (PEP 508)")
    return InputError(problem, where=where, fix=context.get("fix", "write NAME==VERSION"))


def _lines(path: Path, named: str) -> Iterator[tuple[str, str]]:
    """FILE:LINE and text of each line that is more than a comment. named: where the stack file names it."""
    if path.is_symlink() or not path.is_file():
        problem = f"{path.name} is {'a link' if path.is_symlink() else 'no file'}"
        raise InputError(problem, where=named, fix="put the file itself beside stack.yaml")
    try:
        text = read_bounded(path, _LARGEST).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError("the file is not UTF-8 text", where=shown(path), fix="save it as UTF-8") from None
    except OSError as error:
        why = "it is larger than 1 MiB" if error.errno == errno.EFBIG else error.strerror or ""
        raise InputError("the file cannot be read", where=shown(path), why=why, fix="correct it") from None
    for number, line in enumerate(text.splitlines(), 1):
        if bare := re.sub(r"(^|\s)#.*$", "", line).strip():
            yield f"{shown(path)}:{number}", bare
