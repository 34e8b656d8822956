"""ONNX Runtime's CUDA provider holds code for the GPU that is there."""

from __future__ import annotations

import re
from collections.abc import Iterator

from builder.check import packaged_facts
from builder.check.spans import within
from builder.check.torch import covers
from builder.doctor.container.model import ContainerFinding, Evidence, Interpreter
from builder.doctor.container.remedy import install, lasting, now

_PACKAGE = "onnxruntime-gpu"


def find(evidence: Evidence) -> Iterator[ContainerFinding]:
    """An error for each GPU that the installed release is known to have no code for."""
    rows = [row for row in packaged_facts()["onnxruntime_gpu"] if "capabilities" in row]
    for python in evidence.interpreters:
        found = python.distribution(_PACKAGE)
        row = next((one for one in rows if found and found.release and within(found.release, one["versions"])), None)
        for device in evidence.gpu.devices if row else ():
            own = device.capability
            if row is None or not re.fullmatch(r"\d+\.\d", own) or covers(row["capabilities"], row.get("ptx", ""), own):
                continue
            others = [one["versions"] for one in rows if covers(one["capabilities"], one.get("ptx", ""), own)]
            yield ContainerFinding(
                rule="onnxruntime_architecture",
                level="error",
                where=python.python,
                problem=f"{found} has no code for {device.name} (compute capability {own})",
                why=f"its CUDA provider holds code for {', '.join(row['capabilities'])} (an a: for that one alone) "
                f"and {'PTX of ' + row['ptx'] if row.get('ptx') else 'no PTX'}",
                fix=f"install {_PACKAGE}{others[-1]}" if others else "no release on the default index has: compile it",
                **_commands(evidence, python, others),
                source=row["source"],
            )


def _commands(evidence: Evidence, python: Interpreter, others: list[str]) -> dict[str, tuple[str, ...]]:
    commands = [install(python, f"{_PACKAGE}{others[-1]}")] if others else []
    return {"try_now": now(evidence, python, commands), "image": lasting(python, commands)} if commands else {}
