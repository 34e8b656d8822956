"""The CUDA toolkit that compiles a stack's extensions, and the distribution of its base."""

from __future__ import annotations

from fnmatch import fnmatchcase

from packaging.requirements import Requirement
from packaging.version import Version

from builder.check.model import Case
from builder.check.rows import Distribution

_NVCC = ("nvidia-cuda-nvcc", "nvidia-cuda-nvcc-cu12", "nvidia-cuda-nvcc-cu11")


def compiler_cuda(case: Case) -> str:
    """The CUDA of the nvcc that compiles the extensions: of its wheel, else the family's; "" where not known."""
    for name in _NVCC:
        if version := case.toolchain.version(name) or series(case.toolchain.asked.get(name)):
            return f"{version.major}.{version.minor}"
    return case.stack.cuda or ""


def series(requirement: Requirement | None) -> Version | None:
    """13.0 for ==13.0.*, None for anything else."""
    clauses = [one.version for one in requirement.specifier if one.operator == "=="] if requirement else []
    return Version(clauses[0].removesuffix(".*")) if clauses and clauses[0].count(".") >= 2 else None


def distribution_of(case: Case) -> Distribution | None:
    """The row of distributions that the base is made of, None where that cannot be told."""
    base = case.stack.base
    for row in case.facts["distributions"]:
        if base.bootstrap and row["distribution"] == base.bootstrap.distribution:
            if row["suite"] in base.bootstrap.suites:
                return row
        elif base.image and any(fnmatchcase(base.image.partition("@")[0], one) for one in row["images"]):
            return row
    return None
