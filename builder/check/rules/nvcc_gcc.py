"""The C++ compiler that compiles extensions is one that nvcc accepts."""

from __future__ import annotations

import re
from collections.abc import Iterator

from builder.check.cuda import compiler_cuda, distribution_of
from builder.check.model import Case, Finding, finding

NAME = "nvcc_gcc"


def find(case: Case) -> Iterator[Finding]:
    """An error where the base's own g++ is too new or too old, and no other one is asked for."""
    if not case.stack.extensions:
        return
    cuda = compiler_cuda(case)
    toolkit = next((row for row in case.facts["cuda_toolkits"] if row["cuda"] == cuda), None)
    base = distribution_of(case)
    if toolkit is None or base is None:
        return
    first, last = toolkit["gcc"]
    system = case.stack.toolchain.system if case.stack.toolchain else ()
    others = [int(found[1]) for one in system if (found := re.fullmatch(r"g\+\+-(\d+)", one))]
    if any(first <= one <= last for one in (others or [base["gcc"]])):
        return
    there = ", ".join(f"g++ {one}" for one in (others or [base["gcc"]]))
    yield finding(
        NAME,
        [toolkit, base],
        problem=f"extensions would be compiled by {there}, and nvcc of CUDA {cuda} takes g++ {first} to {last}",
        cause="nvcc refuses other compilers (unsupported GNU version)",
        fix=f"put g++-{last} into `system` of the toolchain and CC, CXX and CUDAHOSTCXX into the extensions' `env`, "
        "or take another base or CUDA",
        columns=["gcc"],
    )
