"""An extension whose files call each other's template kernels tells nvcc of CUDA 13 and newer so."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from packaging.utils import canonicalize_name
from packaging.version import Version

from builder.check.cuda import compiler_cuda
from builder.check.model import Case, Finding, finding

NAME: Final = "nvcc_template_stubs"


def find(case: Case) -> Iterator[Finding]:
    """An error for each that is known to need the flag and does not have it."""
    cuda = compiler_cuda(case)
    if not cuda:
        return
    rows = {row["package"]: row for row in case.facts["template_stubs"]}
    for extension in case.stack.extensions:
        row = rows.get(str(canonicalize_name(extension.name)))
        if row is None or Version(cuda) < Version(row["cuda"]):
            continue
        if row["needs"] in (*extension.flags.nvcc, *" ".join(extension.env.values()).split()):
            continue
        yield finding(
            NAME,
            [row],
            problem=f"{extension.name} would be compiled by nvcc of CUDA {cuda} without {row['needs']}",
            cause=f"from {row['cuda']} on a template kernel ({row['kernels']}) has a stub in each file that no other "
            "can call, and the linker ends with `undefined reference`",
            fix=f"give the extension `flags: {{nvcc: [{row['needs']}]}}`",
            about=row["package"],
        )
