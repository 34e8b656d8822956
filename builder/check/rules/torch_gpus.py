"""The stack's torch holds code for each of its `gpus`."""

from __future__ import annotations

from collections.abc import Iterator

from packaging.version import Version

from builder.check.model import Case, Finding, finding
from builder.check.rows import TorchBuild, TorchRelease
from builder.check.torch import Torch, builds_for, code_of, covers, torch_of

NAME = "torch_gpus"
_FEW = 3


def find(case: Case) -> Iterator[Finding]:
    """An error for each compute capability that torch has no code for, with the builds that have."""
    torch = torch_of(case)
    if not torch or not torch.release or not case.stack.gpus:
        return
    if not torch.cuda:
        yield _on_cpu(case, torch, torch.release)
        return
    if torch.cuda not in torch.release["builds"]:
        return  # torch_cuda says so
    row = code_of(case, torch.version, torch.cuda)
    if row is None:
        yield _unknown(torch, torch.release)
        return
    for gpu in case.stack.gpus:
        capability = gpu.removesuffix("+PTX")  # PTX is asked of extensions; it adds nothing to torch
        if not covers(row["capabilities"], row["ptx"], capability):
            yield _uncovered(case, torch, row, capability)


def _uncovered(case: Case, torch: Torch, row: TorchBuild, capability: str) -> Finding:
    newest = Version(capability) > max(map(Version, row["capabilities"]))  # only then PTX could have helped
    names = [one["gpu"] for one in case.facts["gpus"] if one["capability"] == capability][:_FEW]
    ptx = f" and PTX of {row['ptx']}" if row["ptx"] else ", no PTX"
    return finding(
        NAME,
        [row],
        problem=f"torch {torch.name} has no code for compute capability {capability}"
        + (f" ({', '.join(names)})" if names else ""),
        cause=f"its wheel holds code for {', '.join(row['capabilities'])}{ptx}; "
        "code for X.y runs on X.z with z >= y alone (no kernel image is available for execution on the device)",
        fix=f"{_others(case)}, or take {capability} out of `gpus`",
        about=capability,
        columns=["capabilities", "ptx"] if newest else ["capabilities"],
    )


def _others(case: Case) -> str:
    """The builds that hold code for all of `gpus`, in words."""
    builds = builds_for(case, [gpu.removesuffix("+PTX") for gpu in case.stack.gpus])[:_FEW]
    if not builds:
        return "no known build of torch covers all of `gpus`: make two stacks"
    release = builds[0][1]
    python = f"Python {release['python'][0]} to {release['python'][1]}"
    return f"take torch {' or '.join(name for name, _ in builds)} or newer of the same CUDA ({builds[0][0]}: {python})"


def _on_cpu(case: Case, torch: Torch, release: TorchRelease) -> Finding:
    return finding(
        NAME,
        [release],
        problem=f"torch {torch.name} is made without CUDA, and `gpus` asks for {', '.join(case.stack.gpus)}",
        cause="it has no GPU code at all",
        fix=_others(case),
        columns=["builds"],
    )


def _unknown(torch: Torch, release: TorchRelease) -> Finding:
    return finding(
        NAME,
        [release],
        level="warning",
        problem=f"it is not known what GPUs torch {torch.name} has code for",
        cause="this build is not among the facts, and `gpus` was not checked against it",
        fix="take a build of builder/check/facts/torch_builds.yaml, or add it there with its source",
        columns=["builds"],
    )
