"""Compiled modules that do not import; most often they were compiled for another NumPy."""

from __future__ import annotations

from collections.abc import Iterator

from packaging.requirements import InvalidRequirement, Requirement

from builder.doctor.container.facts import Module, modules
from builder.doctor.container.model import ContainerFinding, Evidence, Import, Interpreter
from builder.doctor.container.remedy import install, lasting, now, pip
from builder.doctor.container.text import last_line
from builder.failures import Match, recognise

# Of the known failures: those of modules that want NumPy 1, and those of modules that want a newer NumPy.
_OLD = {"numpy-abi", "numpy-dtype-size"}
_NEW = {"numpy-api-newer", "numpy-dtype-size-old"}


def find(evidence: Evidence) -> Iterator[ContainerFinding]:
    """An error for all modules that NumPy keeps from loading, and one for each that fails otherwise."""
    for python in evidence.interpreters:
        failed = [(one, _known(one.said)) for one in python.imports if not one.ok and one.module in _asked()]
        old = [(one, known) for one, known in failed if known and known.failure.id in _OLD]
        if old:
            yield _old(python, [one for one, _ in old], old[0][1].failure.source, evidence)
        for one, known in failed:
            if not (known and known.failure.id in _OLD):
                yield _other(python, one, known, evidence)


def _asked() -> set[str]:
    """The modules that are asked about, but for those of one torch (torch_packages); a container may tell of others."""
    return {row["module"] for row in modules() if not row.get("torch")}


def _known(said: str) -> Match | None:
    """The known failure that an import's last words show, one about NumPy before any other."""
    found = [one for one in recognise(said.splitlines()) if one.level == "error"]
    return next((one for one in found if one.failure.id in _OLD | _NEW), next(iter(found), None))


def _old(python: Interpreter, failed: list[Import], source: str, evidence: Evidence) -> ContainerFinding:
    """Modules compiled for NumPy 1: an older NumPy where nothing forbids it, else newer releases of them."""
    numpy = python.distribution("numpy")
    requirement, capped = _repair(python, failed)
    commands = [install(python, *requirement)]
    names = [f"{one.module.partition('.')[0]} ({_brought(python, one.module)})" for one in failed]
    return ContainerFinding(
        rule="numpy_abi",
        level="error",
        where=python.python,
        problem=f"{', '.join(names)} cannot be imported beside numpy {numpy.version if numpy else ''}".rstrip(),
        why=f"compiled for NumPy 1; the import says: {last_line(failed[0].said)}",
        fix=f"install {' '.join(requirement)}" + (f" ({', '.join(capped)} asks for NumPy 2)" if capped else ""),
        try_now=now(evidence, python, commands),
        image=lasting(python, commands),
        source=source,
    )


def _repair(python: Interpreter, failed: list[Import]) -> tuple[list[str], list[str]]:
    """What to install, and the distributions that keep an older NumPy out."""
    capped = [one.name for one in python.distributions if any(map(_refuses_one, one.numpy))]
    newer = [_newer(python, one.module) for one in failed]
    if capped and all(newer):
        return newer, capped
    return ["numpy<2"], []


def _refuses_one(text: str) -> bool:
    """Whether a requirement of NumPy, such as numpy>=2.0, refuses the last NumPy 1."""
    try:
        requirement = Requirement(text)
    except InvalidRequirement:
        return False
    return requirement.marker is None and not requirement.specifier.contains("1.26.4")


def _row(module: str) -> Module:
    return next(row for row in modules() if row["module"] == module)


def _newer(python: Interpreter, module: str) -> str:
    """The requirement of the distribution that runs beside NumPy 2, "" where it is not known."""
    row = _row(module)
    name = next((name for name in row["distributions"] if python.distribution(name)), "")
    return f"{name}>={row['numpy2']}" if name and row["numpy2"] else ""


def _brought(python: Interpreter, module: str) -> str:
    there = [one for name in _row(module)["distributions"] if (one := python.distribution(name))]
    return ", ".join(map(str, there))


def _other(python: Interpreter, one: Import, known: Match | None, evidence: Evidence) -> ContainerFinding:
    names = [name for name in _row(one.module)["distributions"] if python.distribution(name)]
    name = names[0] if names else one.module
    new = known is not None and known.failure.id in _NEW
    commands = [pip(python, "install", "--upgrade", "numpy")] if new else []
    return ContainerFinding(
        rule="numpy_abi" if new else "import",
        level="error",
        where=python.python,
        problem=f"{one.module} ({_brought(python, one.module)}) cannot be imported",
        why=f"{known.cause if known else 'its import fails'}: {last_line(one.said)}",
        fix=known.fix if known else f"install {name} again, in the version that its users ask for",
        try_now=now(evidence, python, commands) if commands else (),
        image=lasting(python, commands),
        source=known.failure.source if known else "",
    )
