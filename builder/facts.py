"""The one loader of packaged data: files of rows, each row with its source.

The files are ours, so they are read by libyaml's loader at full speed, without the guards that a stack file needs
(spec/yamldoc.py); tests hold them to those guards and to the types of their rows.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any, TypeVar

import yaml

T = TypeVar("T")


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc] # PyYAML may lack libyaml
    """Sequences become tuples: rows are shared and never changed."""


def _tuple(loader: Any, node: yaml.SequenceNode) -> tuple[object, ...]:  # noqa: ANN401
    return tuple(loader.construct_sequence(node, deep=True))


_Loader.add_constructor("tag:yaml.org,2002:seq", _tuple)


@functools.cache
def rows(path: Path, kind: type[T]) -> tuple[T, ...]:
    """The rows of one packaged file, read once. kind: what each row is, a TypedDict.

    Raises TypeError for a file that is no list of mappings.
    """
    found = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506 - a subclass of a safe one
    if not isinstance(found, tuple) or not all(isinstance(row, dict) for row in found):
        raise TypeError(f"{path} is no list of rows of {kind.__name__}")
    return found
