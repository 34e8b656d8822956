"""What a stack or service carries beside what its file says: its name, and where it was read. No IO here."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from builder.spec.text import Name


class Named(BaseModel):
    """Something loaded, under its name; two are equal where they say the same, wherever their files lie.

    folder: where its stack.yaml lies. source: the bytes of that file, as read. where: file:line of what tells its kind.
    """

    model_config = ConfigDict(defer_build=True)
    _OF_PLACE: ClassVar[frozenset[str]] = frozenset({"folder", "source", "where", "family_file", "family_source"})

    name: Name
    folder: Path = Field(default=Path(), exclude=True, repr=False)
    source: bytes = Field(default=b"", exclude=True, repr=False)
    where: str = Field(default="", exclude=True, repr=False)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Named) and type(self) is type(other) and self._said() == other._said()

    def __hash__(self) -> int:
        return hash((type(self), self.name))

    def _said(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key not in self._OF_PLACE}
