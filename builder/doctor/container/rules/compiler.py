"""triton without a C compiler, by which it builds the launcher of each kernel."""

from __future__ import annotations

from collections.abc import Iterator

from builder.doctor.container.model import ContainerFinding, Evidence


def find(evidence: Evidence) -> Iterator[ContainerFinding]:
    """A warning where a process has loaded triton and finds no compiler.

    Where triton is only installed, as beside every torch for CUDA, nothing says that anybody compiles.
    """
    running = [one for one in evidence.system.processes if one.triton]
    if running and evidence.user and not evidence.user.compiler:
        yield ContainerFinding(
            rule="no_compiler",
            level="warning",
            where=f"process {running[0].pid}",
            problem="triton is in use, and there is no C compiler",
            why="CC is not set, and neither gcc nor clang is on PATH: the first kernel of triton or torch.compile "
            'ends with "Failed to find C compiler"',
            fix="install gcc and libc6-dev in the image (g++ too for torch.compile on the CPU)",
            image=("RUN apt-get update && apt-get install -y --no-install-recommends gcc g++ libc6-dev",),
            source="triton/runtime/build.py (_build), measured in triton of torch 2.15.0",
        )
