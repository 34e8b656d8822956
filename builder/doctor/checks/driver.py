"""NVIDIA's driver and the GPUs it shows."""

from __future__ import annotations

from dataclasses import asdict

from builder.check.host_gpu import NO_GPU, newest_cuda, trouble
from builder.check.rows import Facts
from builder.doctor.checks.machine import SUBJECT
from builder.doctor.model import Diagnosis
from builder.host import Gpu, Host
from builder.ui import human_bytes


def judge(host: Host, facts: Facts) -> Diagnosis:
    """A note where there is no GPU, as most works without; bad where there is one that cannot be used."""
    figures = {"nvidia": asdict(host.nvidia)}
    wrong = trouble(host.nvidia, facts, wsl=host.wsl)
    if wrong and wrong.rule == NO_GPU:
        message = f"{wrong.problem}: images are built all the same; what needs a GPU cannot be tested"
        fix = wrong.fix if host.wsl else ""
        return Diagnosis(check="gpu", subject=SUBJECT, state="note", message=message, fix=fix, figures=figures)
    if wrong:
        message = f"{wrong.problem}: {wrong.cause}"
        return Diagnosis(check="gpu", subject=SUBJECT, state="bad", message=message, fix=wrong.fix, figures=figures)
    cuda = newest_cuda(host.nvidia, facts, wsl=host.wsl)
    gpus = "; ".join(_shown(one) for one in host.nvidia.gpus)
    message = f"{gpus}; driver {host.nvidia.driver or 'of unknown version'}, which knows CUDA up to {cuda or '?'}"
    return Diagnosis(check="gpu", subject=SUBJECT, state="good", message=message, figures=figures)


def _shown(one: Gpu) -> str:
    memory = f", {human_bytes(one.memory)}" if one.memory else ""
    free = f" ({human_bytes(one.free)} free)" if one.memory and one.free is not None else ""
    return f"{one.name}, compute capability {one.capability or '?'}{memory}{free}"
