"""Each stack against this machine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from builder.check.host_gpu import DRIVER, NO_GPU
from builder.check.model import Finding
from builder.doctor.model import Diagnosis, State
from builder.host import Host
from builder.spec.model import Stack


def judge(stack: Stack, findings: Sequence[Finding], host: Host) -> Iterator[Diagnosis]:
    """One line per finding, one that all is well without any.

    Bad is what the machine owes the stack: a newer driver, disk. That its GPU is of another kind is a note, and what is
    wrong with the driver or the engine for every stack is said of the machine, once.
    """
    own = [one for one in findings if not _of_machine(one, host)]
    for one in own:
        bad = one.level == "error" and one.rule in (DRIVER, "host_disk")
        yield Diagnosis(
            check=one.rule.removeprefix("host_"),
            subject=stack.name,
            state="bad" if bad else "note",
            message=f"{one.problem}: {one.cause}",
            fix=one.fix,
            figures={"source": one.source},
        )
    if own:
        return
    state: State = "note" if findings else "good"
    message = f"its CUDA {stack.cuda} runs on the GPU here" if stack.cuda else "it needs no GPU"
    if findings:
        message = f"nothing of its own stands against it, but: {findings[0].problem}"
    yield Diagnosis(check="stack", subject=stack.name, state=state, message=message)


def _of_machine(one: Finding, host: Host) -> bool:
    return one.rule in (NO_GPU, "host_engine", "host_elsewhere") or (one.rule == DRIVER and not host.nvidia.gpus)
