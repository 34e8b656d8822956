"""The wheels that make up nvcc (nvcc, nvvm, crt, runtime) are of one major.minor."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from packaging.version import Version

from builder.check.cuda import series
from builder.check.model import Case, Finding, Packages, finding
from builder.check.rows import ToolkitParts
from builder.check.spans import within

NAME: Final = "toolkit_parts"


def find(case: Case) -> Iterator[Finding]:
    """An error where a part is of another series, or of any, as nothing names its version."""
    for row in case.facts[NAME]:
        for packages in (case.toolchain, case.image):
            version = _series(packages, row["package"])
            if version and within(version, row["versions"]):
                yield from _judged(row, packages, version)
                break


def _series(packages: Packages, name: str) -> Version | None:
    version = packages.version(name)
    return Version(f"{version.major}.{version.minor}") if version else series(packages.asked.get(name))


def _judged(row: ToolkitParts, packages: Packages, version: Version) -> Iterator[Finding]:
    wanted = f"{version.major}.{version.minor}"
    others = {part: _series(packages, part) for part in row["parts"]}
    wrong = {part: one for part, one in others.items() if one is None or (one.major, one.minor) != version.release[:2]}
    if wrong:
        told = [f"{part} {f'{one.major}.{one.minor}' if one else 'of any version'}" for part, one in wrong.items()]
        yield finding(
            NAME,
            [row],
            problem=f"{row['package']} {wanted} would compile with {', '.join(told)}",
            cause=f"it asks for {', '.join(row['parts'])} without a version, which brings the newest of each; "
            "ptxas then refuses what the newer front half writes (Unsupported .version)",
            fix=f"ask for {', '.join(f'{part}=={wanted}.*' for part in wrong)} beside it",
        )
