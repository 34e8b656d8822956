"""Packages that are made for another torch, by their metadata and by the symbols that they miss."""

from __future__ import annotations

import re
from collections.abc import Iterator

from packaging.requirements import InvalidRequirement, Requirement

from builder.doctor.container.facts import Module, modules
from builder.doctor.container.model import ContainerFinding, Distribution, Evidence, Import, Interpreter
from builder.doctor.container.remedy import lasting, now, pip
from builder.doctor.container.text import last_line

# C++ names of torch's own namespaces as compilers write them, and what torchvision says where its half did not load
_SYMBOL = re.compile(
    r"undefined symbol: \w*?(?:\d+(?:c10|torch|caffe2)|2at)\w*|operator \w+::\w+ does not exist|"
    r"Couldn't load custom C\+\+ ops",
    re.ASCII,
)


def find(evidence: Evidence) -> Iterator[ContainerFinding]:
    """An error for each that does not import for that, a warning for all that ask for another torch and import."""
    for python in evidence.interpreters:
        torch = python.distribution("torch")
        if torch is None or python.torch is None or not torch.release:
            continue  # torch does not import: what lies on it cannot
        broken = [(one, name) for one in python.imports if not one.ok and (name := _brought(python, one))]
        for one, name in broken:
            if _SYMBOL.search(one.said) or _asks_other(name, torch):
                yield _broken(python, one, name, torch, evidence)
        told = {name.name for _, name in broken}
        others = [one for one in python.distributions if one.name not in told and _asks_other(one, torch)]
        if others:
            yield _asking(python, others, torch)


def _rows() -> list[Module]:
    return [row for row in modules() if row.get("torch")]


def _brought(python: Interpreter, one: Import) -> Distribution | None:
    names = [name for row in _rows() if row["module"] == one.module for name in row["distributions"]]
    return next((found for name in names if (found := python.distribution(name))), None)


def _asks_other(package: Distribution, torch: Distribution) -> str:
    """Its requirement of torch where the installed one, whatever follows its +, does not meet it."""
    for text in package.torch:
        try:
            asked = Requirement(text)
        except InvalidRequirement:
            continue
        release = torch.release.base_version if torch.release else ""
        if asked.name == "torch" and asked.marker is None and not asked.specifier.contains(release, prereleases=True):
            return str(asked.specifier)
    return ""


def _broken(
    python: Interpreter, one: Import, package: Distribution, torch: Distribution, evidence: Evidence
) -> ContainerFinding:
    asked = _asks_other(package, torch)
    found = _SYMBOL.search(one.said)
    words = pip(python, "install", "--force-reinstall", "--no-deps", package.name)
    tries = (
        [words]
        if not asked.startswith("==")
        else [pip(python, "install", f"torch{asked}", str(package).replace(" ", "=="))]
    )
    return ContainerFinding(
        rule="other_torch",
        level="error",
        where=python.python,
        problem=f"{package} is compiled for another torch than {torch.version}",
        why=(f"its metadata asks for torch{asked}; " if asked else "")
        + f"the import says: {found[0] if found else last_line(one.said)}",
        fix=f"install torch{asked}, or the {package.name} of torch {torch.version} from the same index"
        if asked
        else f"install the {package.name} of torch {torch.version}, or build it again with --no-build-isolation",
        try_now=now(evidence, python, tries) if asked.startswith("==") else (),
        image=lasting(python, tries) if asked.startswith("==") else (),
        source="pytorch/vision README (table of releases); pytorch/pytorch issue 157648",
    )


def _asking(python: Interpreter, others: list[Distribution], torch: Distribution) -> ContainerFinding:
    return ContainerFinding(
        rule="other_torch",
        level="warning",
        where=python.python,
        problem=f"torch {torch.version} is not what {', '.join(map(str, others))} asks for",
        why="; ".join(f"{one.name}: torch{_asks_other(one, torch)}" for one in others),
        fix="install what goes together: python -m pip check names the requirements",
        source="the metadata of these packages (Requires-Dist)",
    )
