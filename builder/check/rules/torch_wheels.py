"""Pages of wheels compiled for one torch are those of the stack's torch, CUDA and Python."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from packaging.utils import canonicalize_name

from builder.check.model import Case, Finding, finding
from builder.check.rows import TorchWheels
from builder.check.torch import Torch, torch_of

NAME: Final = "torch_wheels"


def find(case: Case) -> Iterator[Finding]:
    """An error for each index that is the page of another torch, CUDA or Python."""
    torch = torch_of(case)
    if not torch or not torch.cuda:
        return
    for index in case.stack.indexes.values():
        address = index.find_links or index.url or ""
        projects = [str(canonicalize_name(one)) for one in index.packages]
        for row in case.facts[NAME]:
            if row["package"] not in projects or not address.startswith(row["address"]):
                continue
            page = _page(row, torch, case.stack.python)
            if not address.startswith(row["address"] + page):
                yield finding(
                    NAME,
                    [row],
                    problem=f"{row['package']} would come from {address}",
                    cause=f"its wheels there are not compiled for torch {torch.name} on Python {case.stack.python}",
                    fix=f"take the page {row['address']}{page}",
                    about=row["package"],
                )


def _page(row: TorchWheels, torch: Torch, python: str) -> str:
    return str(row["page"]).format(
        cuda=torch.cuda.replace(".", ""),
        minor=f"{torch.version.major}.{torch.version.minor}",
        digits="".join(str(part) for part in torch.version.release),
        python=python.replace(".", ""),
    )
