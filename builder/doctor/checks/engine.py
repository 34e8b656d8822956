"""The container engine, and whether it can give a GPU to a container."""

from __future__ import annotations

from collections.abc import Iterator

from builder.check import host as rules
from builder.doctor.checks.machine import SUBJECT
from builder.doctor.model import Diagnosis, State
from builder.host import Host


def judge(host: Host) -> Iterator[Diagnosis]:
    """Bad without a usable engine; of GPUs only where the machine and the engine's are one and have one."""
    info = host.engine
    for wrong in rules.engine(host, with_gpu=False):
        state: State = "bad" if wrong.level == "error" else "note"
        yield Diagnosis(
            check="engine", subject=SUBJECT, state=state, message=f"{wrong.problem}: {wrong.cause}", fix=wrong.fix
        )
    if info is None:
        return
    message = f"Docker Engine {info.version} ({info.store}), buildx {info.buildx}, at {info.host}"
    yield Diagnosis(check="engine", subject=SUBJECT, state="good", message=message)
    if host.nvidia.gpus and not host.engine_elsewhere:
        message, fix = _gpus(host)
        state = "bad" if fix else "good"
        figures = {"cdi": list(info.cdi), "toolkit": host.toolkit}
        yield Diagnosis(
            check="gpu in containers", subject=SUBJECT, state=state, message=message, fix=fix, figures=figures
        )


def _gpus(host: Host) -> tuple[str, str]:
    """How containers get the GPU, or why not and what to do."""
    for lack in rules.engine(host, with_gpu=True):
        return f"{lack.problem}: {lack.cause}", lack.fix
    for spec in host.cdi:
        if spec.gone:
            fix = f"the driver has changed since it was written: sudo nvidia-ctk cdi generate --output={spec.path}"
            return f"{spec.path} names {len(spec.gone)} files that are not here, such as {spec.gone[0]}", fix
    return f"given by {'CDI' if host.engine and host.engine.cdi else 'the NVIDIA runtime'}", ""
