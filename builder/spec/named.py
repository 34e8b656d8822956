"""What a stack or service carries beside what its file says: its name, and where it was read. No IO here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, PrivateAttr

from builder.spec.text import Name


@dataclass(frozen=True, kw_only=True)
class ReadFrom:
    """Where something was read: the folder of its stack.yaml, the bytes of that file, and file:line of its kind.

    family: of a stack its family's file and the bytes of it.
    """

    folder: Path
    stack: bytes
    kind: str
    family: tuple[Path, bytes] = (Path(), b"")


class Named(BaseModel):
    """Something loaded, under its name; two are equal where they say the same, wherever their files lie."""

    model_config = ConfigDict(defer_build=True)
    name: Name
    _read_from: ReadFrom = PrivateAttr(default_factory=lambda: ReadFrom(folder=Path(), stack=b"", kind=""))

    @property
    def folder(self) -> Path:
        """Where its stack.yaml lies."""
        return self._read_from.folder

    @property
    def read_from(self) -> ReadFrom:
        """Where it was read."""
        return self._read_from

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Named) and type(self) is type(other) and self.__dict__ == other.__dict__

    def __hash__(self) -> int:
        return hash((type(self), self.name))
