"""Two distributions of one Python package overwrite each other's files, and the last one unpacked wins."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from builder.check import packaged_facts
from builder.doctor.container.model import ContainerFinding, Distribution, Evidence, Interpreter
from builder.doctor.container.remedy import lasting, now, pip

NAME: Final = "conflicting_packages"


def find(evidence: Evidence) -> Iterator[ContainerFinding]:
    """An error for each Python package that several installed distributions bring."""
    for python in evidence.interpreters:
        for row in packaged_facts()[NAME]:
            both = [one for name in row["packages"] if (one := python.distribution(name))]
            if len(both) > 1:
                yield _finding(python, row, both, evidence)


def _finding(
    python: Interpreter, row: Mapping[str, Any], installed: list[Distribution], evidence: Evidence
) -> ContainerFinding:
    """installed: in the order of the row, of which the first is kept."""
    keep, module, both = installed[0], row["module"], sorted(installed, key=str)
    pin = f"{keep.name}=={keep.release}" if keep.release else keep.name
    commands = [pip(python, "uninstall", "-y", *(one.name for one in both)), pip(python, "install", pin)]
    return ContainerFinding(
        rule=NAME,
        level="error",
        where=python.python,
        problem=f"{' and '.join(map(str, both))} are both installed",
        why=f"each unpacks the package {module} over the other's; {_in_use(python, module)}",
        fix=f"uninstall {'both' if len(both) == 2 else 'all of them'}, then install {pin} alone",
        try_now=now(evidence, python, commands),
        image=lasting(python, commands),
        source=row["source"],
    )


def _in_use(python: Interpreter, module: str) -> str:
    """What an import takes at the moment."""
    imported = next((one for one in python.imports if one.module == module), None)
    if imported is None or not imported.ok:
        return "an import fails at the moment" if imported else "which one is in use is not seen"
    offers = ""
    if module == "onnxruntime" and python.session:
        offers = f" with {', '.join(python.session.available)}"
    return f"an import takes version {imported.version or '(not told)'}{offers}"
