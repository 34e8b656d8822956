"""The CUDA compiler knows each of the `gpus` that extensions are compiled for."""

from __future__ import annotations

from collections.abc import Iterator

from packaging.version import Version

from builder.check.cuda import compiler_cuda
from builder.check.model import Case, Finding, finding
from builder.check.rows import ComputeCapability

NAME = "nvcc_gpus"


def find(case: Case) -> Iterator[Finding]:
    """An error for each compute capability that nvcc cannot compile for."""
    cuda = compiler_cuda(case)
    if not cuda or not case.stack.extensions:
        return
    rows = {row["capability"]: row for row in case.facts["compute_capabilities"]}
    for gpu in case.stack.gpus:
        capability = gpu.removesuffix("+PTX")
        row = rows.get(capability)
        if row is None:
            yield Finding(
                rule=NAME,
                level="warning",
                problem=f"nothing is known of compute capability {capability}",
                cause="it is not among the facts, and was not checked",
                fix=f"the known ones are {', '.join(rows)}",
                source="builder/check/facts/compute_capabilities.yaml",
                about=capability,
            )
        elif not _knows(cuda, row):
            yield _finding(cuda, capability, row, _nearest(cuda, capability, rows))


def _knows(cuda: str, row: ComputeCapability) -> bool:
    return Version(row["first"]) <= Version(cuda) and (not row["last"] or Version(cuda) <= Version(row["last"]))


def _nearest(cuda: str, capability: str, rows: dict[str, ComputeCapability]) -> str:
    """The newest known one whose code runs on this GPU: of the same major, not newer. "" for none."""
    wanted = Version(capability)
    same = [one for one, row in rows.items() if Version(one).major == wanted.major and Version(one) <= wanted]
    return max((one for one in same if _knows(cuda, rows[one])), key=Version, default="")


def _finding(cuda: str, capability: str, row: ComputeCapability, nearest: str) -> Finding:
    last = f" to {row['last']}" if row["last"] else " or newer"
    instead = f"write {nearest} in `gpus`, whose code runs there too, or " if nearest else ""
    return finding(
        NAME,
        [row],
        problem=f"nvcc of CUDA {cuda} cannot compile for compute capability {capability} ({row['name']})",
        cause=f"CUDA {row['first']}{last} can (nvcc fatal: Unsupported gpu architecture)",
        fix=f"{instead}take a family of CUDA {row['first']}{last}, or take {capability} out of `gpus`",
        about=capability,
        columns=["first", "last"],
    )
