"""cuDNN of two releases in one process: torch finds libcudnn.so itself, whose parts are sought on LD_LIBRARY_PATH."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping, Sequence

from builder.doctor.container.model import ContainerFinding, Evidence
from builder.doctor.container.plan import path_with


def find(evidence: Evidence) -> Iterator[ContainerFinding]:
    """An error for each process, or import of torch, whose parts of cuDNN come from several folders.

    None where both folders hold a cuDNN of one release, as far as these say which.
    """
    seen: set[tuple[str, ...]] = set()
    for where, library_path, loaded in processes(evidence):
        parts = {name: paths for name, paths in loaded.items() if name.startswith("libcudnn")}
        folders = tuple(sorted({posixpath.dirname(path) for paths in parts.values() for path in paths}))
        if len(folders) < 2 or folders in seen:
            continue
        seen.add(folders)
        releases = {folder: _release(evidence, folder) for folder in folders}
        if "" in releases.values() or len(set(releases.values())) > 1:
            yield _finding(where, library_path, parts, releases)


def processes(evidence: Evidence) -> Iterator[tuple[str, str, Mapping[str, Sequence[str]]]]:
    """Where, LD_LIBRARY_PATH and loaded CUDA libraries: of each running Python, and of each import of torch."""
    for one in evidence.system.processes:
        yield f"process {one.pid}", one.library_path, one.loaded
    for python in evidence.interpreters:
        if python.loaded:
            yield python.python, python.library_path, python.loaded.libraries


def _release(evidence: Evidence, folder: str) -> str:
    """What the libcudnn.so of a folder says it is; "" where it has none, or none that tells."""
    versions = evidence.system.versions
    return next((v for path, v in versions.items() if path.startswith(f"{folder}/libcudnn.so.")), "")


def _finding(
    where: str, library_path: str, parts: Mapping[str, Sequence[str]], releases: Mapping[str, str]
) -> ContainerFinding:
    lines = []
    for folder, release in releases.items():
        names = [name for name, paths in parts.items() if any(posixpath.dirname(path) == folder for path in paths)]
        lines.append(f"{', '.join(sorted(names))} from {folder}{f' ({release})' if release else ''}")
    searched = [part for part in library_path.split(":") if part]
    off = [folder for folder in releases if folder in searched]
    rest = path_with([], ":".join(part for part in searched if part not in off))
    return ContainerFinding(
        rule="cudnn_parts",
        level="error",
        where=where,
        problem="parts of two cuDNN are in one process",
        why=f"{'; '.join(lines)}: the version that cuDNN tells is that of libcudnn.so alone, and its parts are "
        "looked for on LD_LIBRARY_PATH first",
        fix=f"take {' and '.join(off)} off LD_LIBRARY_PATH" if off else "remove the cuDNN that is not of torch's wheel",
        image=(f"ENV LD_LIBRARY_PATH={rest}",) if off else (),
        source="measured: torch's libraries have DT_RPATH, cuDNN's parts DT_RUNPATH (docs/evidence/wheels.yaml)",
    )
