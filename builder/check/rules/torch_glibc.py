"""The base's C library is new enough for torch's wheels."""

from __future__ import annotations

from collections.abc import Iterator

from packaging.version import Version

from builder.check.model import Case, Finding, finding
from builder.check.torch import torch_of

NAME = "torch_glibc"


def find(case: Case) -> Iterator[Finding]:
    """An error where it is older."""
    torch = torch_of(case)
    if not torch or not torch.release:
        return
    needed, there = torch.release["glibc"], case.stack.base.glibc
    if Version(there) < Version(needed):
        fitting = [row["torch"] for row in case.facts["torch_releases"] if Version(row["glibc"]) <= Version(there)]
        newest = max(fitting, key=lambda one: Version(one.replace("*", "0")), default="")
        yield finding(
            NAME,
            [torch.release],
            problem=f"torch {torch.version} needs glibc {needed}, and the base has {there}",
            cause=f"its wheels are manylinux_{needed.replace('.', '_')}; an installer refuses them here",
            fix=f"take a newer base{f', or torch up to {newest}' if newest else ''}",
            columns=["glibc"],
        )
