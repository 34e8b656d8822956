"""A session of ONNX Runtime that does not run, though every library is found."""

from __future__ import annotations

from collections.abc import Iterator

from builder.doctor.container.model import ContainerFinding, Evidence
from builder.doctor.container.rules import conflicting_packages, provider_libraries
from builder.doctor.container.text import last_line


def find(evidence: Evidence) -> Iterator[ContainerFinding]:
    """An error for a session that fails or computes wrongly, where no other rule tells why."""
    explained = {one.where for rule in (conflicting_packages, provider_libraries) for one in rule.find(evidence)}
    for python in evidence.interpreters:
        session = python.session
        if session is None or python.python in explained:
            continue
        ran = bool(session.providers) and session.providers[0] == session.provider
        if not (ran and session.right):
            yield ContainerFinding(
                rule="session",
                level="error",
                where=python.python,
                problem=f"onnxruntime {session.version} does not run a Conv and a MatMul on {session.provider}",
                why=last_line(session.error or session.said) or "the result is wrong",
                fix="look the message up: modelstacks doctor --log FILE takes the program's log",
            )
