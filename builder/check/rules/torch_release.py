"""The torch that a family states is the one that is installed, and it is one that the facts know."""

from __future__ import annotations

from collections.abc import Iterator

from packaging.version import Version

from builder.check.model import Case, Finding
from builder.check.torch import stated_torch, torch_of

NAME = "torch_release"
SOURCE = "the stack and its family"


def find(case: Case) -> Iterator[Finding]:
    """An error for a `torch` that is no version or another one; a warning where nothing is known of it."""
    stated, there = stated_torch(case), case.image.version("torch")
    if case.stack.torch and stated is None:
        yield _finding(f"{case.stack.torch} is not a version", "`torch` of a family is a version", "write 1.12.1+cu113")
        return
    if stated and there and _differ(stated, there, told=bool(there.local or case.lock)):
        yield _finding(
            f"the family states torch {stated}, and torch {there} is {'locked' if case.lock else 'asked for'}",
            "what else is chosen for the one does not fit the other",
            "make `torch` of the family and the requirement in `packages` say the same, then lock again",
        )
    torch = torch_of(case)
    if torch and torch.release is None:
        yield Finding(
            rule=NAME,
            level="warning",
            problem=f"nothing is known of torch {torch.version}",
            cause="its Pythons, CUDA versions and architectures are not among the facts, and were not checked",
            fix="take a release of builder/check/facts/torch_releases.yaml, or add it there with its source",
            source="builder/check/facts/torch_releases.yaml",
        )


def _differ(stated: Version, there: Version, *, told: bool) -> bool:
    """told: whether `there` tells its build; a pin may leave that to its index."""
    return stated.public != there.public or (told and stated.local is not None and stated.local != there.local)


def _finding(problem: str, cause: str, fix: str) -> Finding:
    return Finding(rule=NAME, level="error", problem=problem, cause=cause, fix=fix, source=SOURCE)
