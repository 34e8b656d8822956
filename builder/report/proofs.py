"""What smoke tests proved of an image: the evidence that a run left, or that of another machine."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ValidationError

from builder.errors import InputError
from builder.net.urls import clean_text
from builder.plain import plain

_MOST, _LONGEST = 16 << 20, 600


def _shown(value: object) -> object:
    return clean_text(plain(value))[:_LONGEST] if isinstance(value, str) else value


Text = Annotated[str, BeforeValidator(_shown)]


class Device(BaseModel):
    """A GPU. memory: bytes."""

    name: Text
    capability: Text = ""
    memory: int = 0


class Result(BaseModel):
    """One test."""

    check: Text
    test: Text
    outcome: Literal["passed", "failed", "skipped"]
    reason: Text = ""
    seconds: float = 0.0
    needs_gpu: bool = False


class Engine(BaseModel):
    """The container engine."""

    version: Text = ""
    store: Text = ""


class Proof(BaseModel):
    """An evidence document, of what it holds what is shown."""

    stack: Text
    target: Text = ""
    name: Text = ""
    date: Text = ""
    lock: Text = ""
    image_id: Text = ""
    seconds: float = 0.0
    driver: Text = ""
    devices: list[Device] = []
    results: list[Result] = []
    engine: Engine | None = None

    def count(self, outcome: str) -> int:
        """Tests that ended so."""
        return sum(one.outcome == outcome for one in self.results)

    @property
    def of_the_stack(self) -> bool:
        """Whether what was tested is an image under the stack's own name, not one that somebody made of it."""
        own = self.name.rpartition("/")[2].partition(":")[0].partition("@")[0]
        return self.target == "image" and own == self.stack

    @property
    def green(self) -> bool:
        """Whether tests ran, and none failed."""
        return bool(self.results) and not self.count("failed")


def own(folder: Path) -> Proof | None:
    """That of the last smoke run, None where there was none or it left nothing that can be read."""
    try:
        return _read(folder / "smoke" / "evidence.json")
    except InputError:
        return None


def given(paths: Iterable[Path]) -> list[Proof]:
    """Those in files and folders that the user names. Raises InputError for a file that holds none.

    In a folder what is no evidence is passed over.
    """
    found = []
    for path in paths:
        if path.is_dir():
            for file in sorted(path.glob("*.json")):
                try:
                    found.append(_read(file))
                except InputError:
                    continue
        else:
            found.append(_read(path))
    return found


def _read(path: Path) -> Proof:
    fix = "name an evidence.json that `make smoke` wrote, or a folder of them"
    try:
        if not path.is_file() or path.stat().st_size > _MOST:
            raise InputError("there is no evidence of smoke tests", where=str(path), fix=fix)
        return Proof.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, OSError, RecursionError) as error:
        why = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
        raise InputError("it is no evidence of smoke tests", where=str(path), why=why, fix=fix) from None
