"""NVIDIA's container toolkit, and the CDI files by which an engine gives a GPU to a container."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from builder.host import program
from builder.host.model import CdiSpec

CDI_FOLDERS = (Path("/etc/cdi"), Path("/var/run/cdi"))  # where the CDI specification has them by default
KIND = "nvidia.com/gpu"
_SECONDS = 10.0
_LARGEST = 4 << 20  # bytes; nvidia-ctk writes some 20 kB per GPU


def version() -> str:
    """The version of nvidia-ctk, "" where there is none."""
    said = program.run(["nvidia-ctk", "--version"], _SECONDS)
    found = re.search(r"version (\d+(?:\.\d+)+\S*)", said.out) if said else None
    return found[1] if found else ""


def cdi_specs(folders: Sequence[Path] = CDI_FOLDERS) -> tuple[CdiSpec, ...]:
    """The CDI files that offer NVIDIA GPUs."""
    found = []
    for folder in folders:
        for path in sorted(folder.glob("*")) if folder.is_dir() else ():
            if path.suffix in (".json", ".yaml", ".yml") and (spec := _spec(path)):
                found.append(spec)
    return tuple(found)


def _spec(path: Path) -> CdiSpec | None:
    import yaml  # noqa: PLC0415

    try:
        if path.stat().st_size > _LARGEST:
            return None
        document = yaml.load(path.read_text(errors="replace"), yaml.CSafeLoader)
        if document["kind"] != KIND:
            return None
        devices = tuple(str(device["name"]) for device in document["devices"])
        gone = sorted({one for one in _host_paths(document) if not Path(one).exists()})
    except (OSError, ValueError, TypeError, KeyError, AttributeError, yaml.YAMLError):
        return None  # the engine passes over a file that it cannot read, too
    return CdiSpec(path=path, devices=devices, gone=tuple(gone))


def _host_paths(document: dict[str, Any]) -> Iterator[str]:
    """The files and device nodes of this machine that a CDI file would give to a container."""
    for part in (document, *document["devices"]):
        edits = part.get("containerEdits") or {}
        yield from (str(one["hostPath"]) for one in edits.get("mounts") or ())
        yield from (str(one.get("hostPath") or one["path"]) for one in edits.get("deviceNodes") or ())
