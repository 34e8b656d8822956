"""/dev/shm, over which torch's workers hand their tensors."""

from __future__ import annotations

# ruff: noqa: S108
from collections.abc import Iterator

from builder.doctor.container.model import ContainerFinding, Evidence
from builder.ui import human_bytes

_DEFAULT = 64 << 20  # what Docker gives a container
_FULL = 1 << 20


def find(evidence: Evidence) -> Iterator[ContainerFinding]:
    """A warning where workers of a Python with torch share so little, an error where nothing of it is left.

    A worker is a Python that another one started, with memory of /dev/shm in its map: processes of a server have none.
    """
    user, processes = evidence.user, evidence.system.processes
    if (
        user is None
        or not 0 <= user.shm <= _DEFAULT
        or not any(one.distribution("torch") for one in evidence.interpreters)
    ):
        return
    pids = {one.pid for one in processes}
    workers = [one for one in processes if one.parent in pids and one.shared]
    full = user.shm_free < _FULL
    if workers or full:
        yield ContainerFinding(
            rule="shared_memory",
            level="error" if full else "warning",
            where="container",
            problem=f"/dev/shm has {human_bytes(user.shm)}, and {len(workers)} workers of Python share it"
            if workers
            else f"/dev/shm is full: it has {human_bytes(user.shm)}",
            why=f"{human_bytes(user.shm_free)} of it is free; torch's DataLoader hands batches over there, and a "
            "worker that finds no room ends with Bus error",
            fix="make the container again with --shm-size=8g or --ipc=host, or use num_workers=0",
            source='docs.docker.com, docker run --shm-size (64 MB); pytorch.org, "torch.multiprocessing"',
        )
