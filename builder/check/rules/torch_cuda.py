"""The CUDA of torch exists as a build, and is of one major version with the family's and the compiler's."""

from __future__ import annotations

from collections.abc import Iterator

from packaging.version import Version

from builder.check.cuda import compiler_cuda
from builder.check.model import Case, Finding, finding
from builder.check.rows import TorchRelease
from builder.check.torch import Torch, build_name, torch_of

NAME = "torch_cuda"


def find(case: Case) -> Iterator[Finding]:
    """Errors for a build that there is not, and for a CUDA of another major version beside it."""
    torch = torch_of(case)
    if not torch or not torch.release or not torch.cuda:
        return
    if torch.cuda not in torch.release["builds"]:
        yield _no_build(case, torch, torch.release)
        return
    # The compiler's CUDA is the family's where no wheel brings another; it is not told twice then.
    named = {compiler_cuda(case) if case.stack.extensions else "": "compiler", case.stack.cuda or "": "family"}
    for cuda, about in named.items():
        if cuda and Version(cuda).major != Version(torch.cuda).major:
            yield _other_major(torch, torch.release, about, cuda)


def _no_build(case: Case, torch: Torch, release: TorchRelease) -> Finding:
    there = [build_name(str(torch.version), cuda) for cuda in release["builds"]]
    rows = [row for row in case.facts["torch_releases"] if torch.cuda in row["builds"]]
    others = f", or torch {' or '.join(row['torch'] for row in rows[:3])} for CUDA {torch.cuda}" if rows else ""
    return finding(
        NAME,
        [release],
        problem=f"there is no torch {torch.name}",
        cause=f"torch {torch.version} is built for CUDA {', '.join(release['builds'])}",
        fix=f"take {' or '.join(there)}{others}",
        about="build",
        columns=["builds"],
    )


def _other_major(torch: Torch, release: TorchRelease, about: str, cuda: str) -> Finding:
    what = "the family's CUDA" if about == "family" else "the CUDA compiler"
    return finding(
        NAME,
        [release],
        problem=f"{what} is {cuda}, and torch {torch.name} is made with CUDA {torch.cuda}",
        cause="torch refuses to compile extensions with a CUDA of another major version, "
        "and libraries of two majors fill one process",
        fix=f"take CUDA {torch.cuda}, or a torch for CUDA {Version(cuda).major}",
        about=about,
        columns=["builds"],
    )
