"""The stack's onnxruntime-gpu holds code for each of its `gpus`."""

from __future__ import annotations

from collections.abc import Iterator

from builder.check.model import Case, Finding, finding
from builder.check.onnxruntime import PACKAGE, release_of
from builder.check.torch import covers

NAME = "onnxruntime_gpus"


def find(case: Case) -> Iterator[Finding]:
    """An error for each compute capability that its CUDA provider has no code for."""
    version = case.image.version(PACKAGE)
    row = release_of(case, version) if version else None
    if row is None or "capabilities" not in row or PACKAGE in case.elsewhere:
        return
    code, ptx = row["capabilities"], row.get("ptx", "")
    for gpu in case.stack.gpus:
        capability = gpu.removesuffix("+PTX")
        if not covers(code, ptx, capability):
            others = [
                one["versions"]
                for one in case.facts["onnxruntime_gpu"]
                if "capabilities" in one and covers(one["capabilities"], one.get("ptx", ""), capability)
            ]
            yield finding(
                NAME,
                [row],
                problem=f"{PACKAGE} {version} has no code for compute capability {capability}",
                cause=f"its CUDA provider holds code for {', '.join(code)}"
                + (f" and PTX of {ptx}" if ptx else ", and no PTX")
                + (" (with an a: for that one alone)" if any(one.endswith("a") for one in code) else ""),
                fix=f"take {PACKAGE} {' or '.join(others)}, or take {capability} out of `gpus`"
                if others
                else f"take {capability} out of `gpus`",
                about=capability,
                columns=["capabilities", "ptx"],
            )
