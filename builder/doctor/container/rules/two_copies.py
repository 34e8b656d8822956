"""Two copies of one CUDA library in one process; those of cuDNN have a rule of their own."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence

from builder.doctor.container.model import ContainerFinding, Evidence
from builder.doctor.container.rules.cudnn import processes

_SONAME = re.compile(r"(lib\w+)(?:-[0-9a-f]{8})?\.so\.([0-9]{1,4})(?:\.[0-9.]+)?")


def find(evidence: Evidence) -> Iterator[ContainerFinding]:
    """A warning for each process with two; none where both say that they are of one release."""
    seen: set[tuple[str, ...]] = set()
    for where, library_path, loaded in processes(evidence):
        double = {name: paths for name, paths in _by_soname(loaded).items() if _differ(evidence, paths)}
        folders = tuple(sorted({posixpath.dirname(path) for paths in double.values() for path in paths}))
        if double and folders not in seen:
            seen.add(folders)
            yield _finding(where, library_path, double, folders)


def _by_soname(loaded: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """The paths of each library by its name and major version, which no two files of one process should share."""
    found: dict[str, list[str]] = {}
    for name, paths in loaded.items():
        if (parts := _SONAME.fullmatch(name)) and not name.startswith("libcudnn"):
            found.setdefault(f"{parts[1]}.so.{parts[2]}", []).extend(paths)
    return found


def _differ(evidence: Evidence, paths: Sequence[str]) -> bool:
    folders = {posixpath.dirname(path) for path in paths}
    releases = {evidence.system.versions.get(path, "") for path in paths}
    return len(folders) > 1 and (len(releases) > 1 or "" in releases)


def _finding(
    where: str, library_path: str, double: Mapping[str, Sequence[str]], folders: Sequence[str]
) -> ContainerFinding:
    off = [one for one in folders if one in library_path.split(":")]
    return ContainerFinding(
        rule="two_copies",
        level="warning",
        where=where,
        problem=f"two copies of {', '.join(sorted(double))} are in one process",
        why="; ".join(f"{name} from {' and '.join(sorted(paths))}" for name, paths in sorted(double.items()))
        + ": each has a state of its own, and calls meet either of them",
        fix=f"take {' and '.join(off)} off LD_LIBRARY_PATH"
        if off
        else f"keep one: that of the Python packages, or that of the system ({' or '.join(folders)})",
        source="man ld.so: a library that is opened by its path is loaded beside one of the same name",
    )
