"""The JSON schemas of stack and family files, for editors. `python -m builder.spec.schema` writes them."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import BaseModel

from builder.files import write_atomic
from builder.spec.model import Family, StackFile
from builder.spec.service import ServiceFile

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def texts() -> dict[str, str]:
    """The schema files by their path in a folder of stacks."""
    parts: dict[str, tuple[type[BaseModel], str]] = {
        "schema.json": (StackFile, "modelstacks: stack.yaml"),
        "families/schema.json": (Family, "modelstacks: family"),
        "service.schema.json": (ServiceFile, "modelstacks: stack.yaml of a service"),
    }
    return {
        name: json.dumps(
            {"$schema": DIALECT, **model.model_json_schema(by_alias=True), "title": title}, indent=2, sort_keys=True
        )
        + "\n"
        for name, (model, title) in parts.items()
    }


def export(folder: Path) -> None:
    """Write the schemas into a folder of stacks."""
    for name, text in texts().items():
        write_atomic(folder / name, text)


def stale(folder: Path) -> list[Path]:
    """The schema files of a folder of stacks that are missing or not what `export` would write."""
    return [
        folder / name
        for name, text in texts().items()
        if not (folder / name).is_file() or (folder / name).read_text() != text
    ]


if __name__ == "__main__":
    export(Path(__file__).resolve().parents[2] / "stacks")
