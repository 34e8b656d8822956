"""torchvision, torchaudio and triton are of the releases that go with torch, and of its CUDA."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from packaging.version import Version

from builder.check.model import Case, Finding, finding
from builder.check.rows import TorchRelease
from builder.check.spans import within
from builder.check.torch import Torch, build_name, cuda_of_tag, torch_of

NAME = "torch_partners"
Partner = Literal["torchvision", "torchaudio", "triton"]
PARTNERS: tuple[Partner, ...] = ("torchvision", "torchaudio", "triton")


def find(case: Case) -> Iterator[Finding]:
    """An error for each of another release, or built for another CUDA."""
    torch = torch_of(case)
    if not torch or not torch.release:
        return
    for name in PARTNERS:
        version = case.image.version(name)
        if version and (found := _misfit(torch, torch.release, name, version)):
            yield found


def _misfit(torch: Torch, release: TorchRelease, name: Partner, version: Version) -> Finding | None:
    wanted = release[name]
    if wanted == "none":
        return finding(
            NAME,
            [release],
            problem=f"no {name} goes with torch {torch.name}, and {version} is here",
            cause="its last release, 2.11.0, asks for no torch, so that resolving pairs it with any; it is made for "
            "torch 2.11 and CUDA 13.0, and refuses another CUDA at import",
            fix=f"take {name} out, or torch 2.11.0 with torchaudio 2.11.0",
            about=name,
            columns=[name],
        )
    if wanted and not within(version, f"=={wanted}"):
        cause = (
            "each of its releases is compiled against one torch; with another it fails to import or to launch kernels"
        )
        return _finding(release, name, f"{name} {version} does not go with torch {torch.name}", cause, wanted)
    if version.local and cuda_of_tag(version.local) != torch.cuda:
        wanted = build_name(version.public, torch.cuda)
        problem = f"{name} {version} is built for another CUDA than torch {torch.name}"
        return _finding(release, name, problem, "its kernels are linked to the CUDA of its own torch", wanted)
    return None


def _finding(release: TorchRelease, name: str, problem: str, cause: str, wanted: str) -> Finding:
    fix = f"take {name} {wanted}"
    return finding(NAME, [release], problem=problem, cause=cause, fix=fix, about=name, columns=[name])
