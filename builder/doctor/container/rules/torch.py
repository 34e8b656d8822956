"""torch: whether it starts, has code for the GPU, and knows this NumPy."""

from __future__ import annotations

import re
from collections.abc import Iterator

from builder.check import packaged_facts
from builder.check.torch import covers, named_code_runs
from builder.doctor.container.model import ContainerFinding, Device, Distribution, Evidence, Interpreter, Torch
from builder.doctor.container.remedy import install, lasting, now, pip
from builder.doctor.container.text import last_line


def find(evidence: Evidence) -> Iterator[ContainerFinding]:
    """What keeps torch from the GPU, or from NumPy."""
    for python in evidence.interpreters:
        torch = python.torch
        if torch is None:
            yield from _no_answer(python)
            continue
        numpy = python.distribution("numpy")
        if torch.numpy and numpy:
            yield _numpy(python, torch, numpy, evidence)
        if evidence.gpu.devices:
            yield from _on_gpu(python, torch, evidence)


def _first_build(capability: str) -> tuple[str, str]:
    """What to install for a GPU of that capability, and the source."""
    for row in packaged_facts()["torch_builds"]:
        if covers(row["capabilities"], row["ptx"], capability):
            cuda = " or ".join(row["cuda"])
            return f"install torch{row['torch'].partition(',')[0]} built for CUDA {cuda} or newer", row["source"]
    return "install a torch that lists this architecture", ""


def _no_answer(python: Interpreter) -> Iterator[ContainerFinding]:
    found = python.distribution("torch")
    if found:
        pin = f"torch=={found.release}" if found.release else "torch"
        yield ContainerFinding(
            rule="torch_import",
            level="error",
            where=python.python,
            problem=f"torch {found.version} cannot be imported",
            why=last_line(python.torch_said),
            fix=f"install {pin} again with what it requires",
            image=lasting(python, [pip(python, "install", "--force-reinstall", pin)]),
        )


def _numpy(python: Interpreter, torch: Torch, numpy: Distribution, evidence: Evidence) -> ContainerFinding:
    commands = [install(python, "numpy<2")]
    return ContainerFinding(
        rule="numpy_abi",
        level="error",
        where=python.python,
        problem=f"torch {torch.version} cannot use {numpy}",
        why=f"Tensor.numpy() says: {last_line(torch.numpy)}",
        fix="install numpy<2, or torch 2.3 or newer",
        try_now=now(evidence, python, commands),
        image=lasting(python, commands),
        source="github.com/pytorch/pytorch/issues/107302 and 132179",
    )


def _on_gpu(python: Interpreter, torch: Torch, evidence: Evidence) -> Iterator[ContainerFinding]:
    if not torch.cuda:
        yield ContainerFinding(
            rule="cpu_build",
            level="warning",
            where=python.python,
            problem=f"torch {torch.version} is a CPU build, and the container has a GPU",
            why="torch.version.cuda is None",
            fix="install torch of an index of CUDA builds",
        )
        return
    if torch.error or not torch.available:
        yield ContainerFinding(
            rule="torch_cuda",
            level="error",
            where=python.python,
            problem=f"torch {torch.version} (CUDA {torch.cuda}) does not start CUDA",
            why=last_line(torch.error) or "torch.cuda.is_available() is False",
            fix=f"the driver {evidence.gpu.driver} offers CUDA {evidence.gpu.cuda_of_driver or '(not told)'}: install "
            "a newer driver on the host, or torch built for a CUDA that is not newer",
        )
    for device in evidence.gpu.devices:
        if (
            torch.arches
            and re.fullmatch(r"[0-9]{1,3}\.[0-9]", device.capability)
            and not named_code_runs(torch.arches, device.capability)
        ):
            yield _architecture(python, torch, device)


def _architecture(python: Interpreter, torch: Torch, device: Device) -> ContainerFinding:
    fix, source = _first_build(device.capability)
    return ContainerFinding(
        rule="torch_architecture",
        level="error",
        where=python.python,
        problem=f"torch {torch.version} has no code for {device.name} (compute capability {device.capability})",
        why=f"it is built for {' '.join(torch.arches)}: no kernel image is available for execution on the device",
        fix=fix,
        source=source,
    )
