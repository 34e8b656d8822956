"""Every library of torch that holds GPU code, torch.linalg's too, has code for each of the stack's `gpus`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from builder.check.model import Case, Finding, finding
from builder.check.spans import within
from builder.check.torch import covers, torch_of

NAME: Final = "torch_parts"


def find(case: Case) -> Iterator[Finding]:
    """A warning for each compute capability that a part of torch has no code for: the rest of torch runs there."""
    torch = torch_of(case)
    for row in case.facts[NAME] if torch else ():
        if torch is None or torch.cuda != row["cuda"] or not within(torch.version, row["torch"]):
            continue
        for gpu in case.stack.gpus:
            capability = gpu.removesuffix("+PTX")
            if not covers(row["capabilities"], "", capability):
                yield finding(
                    NAME,
                    [row],
                    level="warning",
                    problem=f"{row['what']} of torch {torch.name} does not run on compute capability {capability}",
                    cause=f"{row['library']} holds code for {', '.join(row['capabilities'])} alone, and no PTX "
                    "(no kernel image is available for execution on the device)",
                    fix=f"{row['fix']}, or take {capability} out of `gpus`",
                    about=capability,
                )
