"""One value for all rows of locks that say the same: the locks of many stacks share most of their files. No IO here."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import ModelWrapValidatorHandler

_MOST = 20_000  # rows of some 0.5 kB
_Row = TypeVar("_Row")
_KEPT: dict[tuple[Any, ...], Any] = {}


def shared(cls: type[_Row], value: Any, handler: ModelWrapValidatorHandler[_Row]) -> _Row:  # noqa: ANN401 - of a file
    """A row of this class, which nothing can change: the one that was held to the model before, where that said this.

    A wrapping validator of pydantic; what `handler` raises is raised each time.
    """
    try:
        said = value.values()
        key = cls, *value, *said, *map(type, said)
        found: _Row | None = _KEPT.get(key)
    except (TypeError, AttributeError):  # no row
        return handler(value)
    if found is None:
        found = handler(value)
        if len(_KEPT) < _MOST:
            _KEPT[key] = found
    return found
