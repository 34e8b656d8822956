"""What pylock.toml may say: of what PEP 751 allows only what this program writes."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from builder.lock.model import Artifact
from builder.lock.schema import Document, FileName, Project, Size, Word
from builder.origin import Origin
from builder.spec.parts import Frozen
from builder.spec.text import HttpsUrl, Sha256, Text, refuse

WHEELHOUSE = "../../wheels"  # as seen from stacks/NAME, the layout that every checkout has
_PLACE = re.compile(r"(?:[^/\x00-\x1f\x7f]{1,255}/){0,64}wheels/")  # of a user's own folder: where it was locked


def wheelhouse(folder: Path, home: Path) -> str:
    """Where the wheels lie as seen from a stack's folder, as PEP 751 has paths: relative to the file they stand in."""
    return Path(os.path.relpath(home.resolve() / "wheels", folder.resolve())).as_posix()


class Hashes(Frozen):
    sha256: Sha256


class PythonFile(Frozen):
    """A wheel or sdist of pylock.toml."""

    name: FileName
    path: str
    size: Size
    hashes: Hashes

    @model_validator(mode="after")
    def _placed(self) -> PythonFile:
        if not _PLACE.fullmatch(self.path.removesuffix(self.name)) or not self.path.endswith(self.name):
            raise refuse(f"{self.name} is at another path than {WHEELHOUSE}", "")
        return self


class Package(Frozen):
    """A package of pylock.toml: one wheel, or an sdist."""

    name: Project
    version: Word
    index: HttpsUrl | None = None
    wheels: list[PythonFile] = Field(default_factory=list)
    sdist: PythonFile | None = None

    @model_validator(mode="after")
    def _one_file(self) -> Package:
        if len(self.wheels) + (self.sdist is not None) != 1:
            raise refuse(f"{self.name} has not exactly one file", "")
        return self

    def artifact(self, index: str) -> Artifact:
        """As the rest of the program has it. index: the name of the one it comes from."""
        entry = self.sdist or self.wheels[0]
        return Artifact(
            kind="sdist" if self.sdist else "wheel",
            filename=entry.name,
            size=entry.size,
            sha256=entry.hashes.sha256,
            origin=Origin.parse(f"index:{index}"),
            project=self.name,
            version=self.version,
        )


class PylockFile(Document):
    """pylock.toml, of what PEP 751 allows only what this program writes."""

    lock_version: Literal["1.0"]
    requires_python: Annotated[str, Text(r"^==3\.[0-9]{1,2}\.\*$", "one Python version", "==3.11.*")]
    created_by: Literal["modelstacks"]
    packages: list[Package]
    tool: dict[Literal["modelstacks"], dict[Literal["unresolved"], list[Word]]] = Field(default_factory=dict)
