"""Rules: each looks at the evidence for one kind of fault. Their order is the order of the findings within a level."""

from __future__ import annotations

from builder.doctor.container.model import ContainerFinding, Evidence
from builder.doctor.container.rules import (
    conflicting_packages,
    cudnn,
    gpu,
    imports,
    onnxruntime,
    provider_libraries,
    session,
    torch,
    trust,
    unseen,
)

RULES = (conflicting_packages, imports, provider_libraries, onnxruntime, cudnn, torch, session, trust, gpu, unseen)
_LEVELS = ("error", "warning", "note")


def diagnose(evidence: Evidence) -> list[ContainerFinding]:
    """What is wrong, worst first; within a level, what has to be mended first comes first."""
    found = [finding for rule in RULES for finding in rule.find(evidence)]
    return sorted(found, key=lambda finding: _LEVELS.index(finding.level))
