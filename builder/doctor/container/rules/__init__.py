"""Rules: each looks at the evidence for one kind of fault. Their order is the order of the findings within a level."""

from __future__ import annotations

from builder.doctor.container.model import ContainerFinding, Evidence
from builder.doctor.container.rules import (
    compiler,
    conflicting_packages,
    cudnn,
    driver_files,
    gpu,
    imports,
    onnxruntime,
    provider_libraries,
    session,
    shared_memory,
    torch,
    torch_packages,
    trust,
    two_copies,
    unseen,
    user,
)

# What torch and its packages say follows from the driver, the user and the folders; that no GPU is seen comes last.
RULES = (
    conflicting_packages,
    imports,
    driver_files,
    provider_libraries,
    onnxruntime,
    cudnn,
    user,
    torch,
    torch_packages,
    two_copies,
    session,
    trust,
    shared_memory,
    compiler,
    gpu,
    unseen,
)
_LEVELS = ("error", "warning", "note")


def diagnose(evidence: Evidence) -> list[ContainerFinding]:
    """What is wrong, worst first; within a level, what has to be mended first comes first."""
    found = [finding for rule in RULES for finding in rule.find(evidence)]
    return sorted(found, key=lambda finding: _LEVELS.index(finding.level))
