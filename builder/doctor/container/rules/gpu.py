"""A container that is made for a GPU and sees none."""

from __future__ import annotations

from collections.abc import Iterator

from builder.doctor.container.model import ContainerFinding, Evidence, Inspected

_HOW = "start it with --gpus all or --device nvidia.com/gpu=all"


def find(evidence: Evidence) -> Iterator[ContainerFinding]:
    """A warning where anything inside is made for a GPU and the driver shows none."""
    if evidence.gpu.devices or not evidence.wants_gpu:
        return
    why, fix = _reason(evidence.container)
    yield ContainerFinding(
        rule="no_gpu",
        level="warning",
        where="container",
        problem=f"no GPU visible in the container: {_HOW}" if not evidence.container.gpu_asked else "no GPU visible",
        why=f"{why}; {evidence.gpu.reason}" if evidence.gpu.reason else why,
        fix=fix,
        source="docs.docker.com, Access an NVIDIA GPU; github.com/NVIDIA/nvidia-container-toolkit",
    )


def _reason(container: Inspected) -> tuple[str, str]:
    if not container.gpu_asked:
        return "none was asked for when it was started", f"make the container again: {_HOW}"
    visible = container.env.get("NVIDIA_VISIBLE_DEVICES", "")
    if visible in ("void", "none", ""):
        shown = f"NVIDIA_VISIBLE_DEVICES is {visible or 'not set'}"
        if "runtime" in container.gpu_asked:
            return shown, "make the container again with --env NVIDIA_VISIBLE_DEVICES=all"
    capabilities = container.env.get("NVIDIA_DRIVER_CAPABILITIES", "compute")
    if not {"compute", "all"} & set(capabilities.split(",")):
        why = f"NVIDIA_DRIVER_CAPABILITIES is {capabilities}, which leaves libcuda.so.1 out"
        return why, "make the container again with --env NVIDIA_DRIVER_CAPABILITIES=compute,utility"
    return f"it was started with {container.gpu_asked}", "see what `make doctor` says of the host's driver and toolkit"
