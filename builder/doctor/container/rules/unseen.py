"""What could not be looked at, so that nobody takes silence for health."""

from __future__ import annotations

from collections.abc import Iterator

from builder.doctor.container.model import ContainerFinding, Evidence


def find(evidence: Evidence) -> Iterator[ContainerFinding]:
    """A note where there is no Python, and a warning for each thing that gave no answer."""
    if not evidence.interpreters and not evidence.unseen:
        yield ContainerFinding(
            rule="no_python",
            level="note",
            where="container",
            problem="no Python in the container: only the engine's facts and the loader's cache were looked at",
            why="python3 and python are neither on its PATH nor in the usual places",
            fix="name the container that runs Python",
        )
    for one in evidence.unseen:
        yield ContainerFinding(
            rule="unseen",
            level="warning",
            where="container",
            problem=f"not looked at: {one}",
            why="a probe could not be run, or gave no usable answer",
            fix=f"run it again, or look by hand: docker exec -it {evidence.container.name} sh",
        )
    for python in evidence.interpreters:
        for folder in python.closed:
            yield ContainerFinding(
                rule="closed_folder",
                level="warning",
                where=python.python,
                problem=f"{folder} is on the module path, and the container's user may not read it",
                why=f"user {evidence.container.user}; what is installed there cannot be imported",
                fix="open it to all in the image: chmod -R a+rX, from the first folder of it that is closed",
            )
    if evidence.system.cut:
        yield ContainerFinding(
            rule="unseen",
            level="note",
            where="container",
            problem="the file system is large: CUDA libraries were not looked for everywhere",
            why="the search ends after 20 s",
            fix="add a folder with libraries to LD_LIBRARY_PATH if you know of one",
        )
