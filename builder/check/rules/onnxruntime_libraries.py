"""Every library that onnxruntime-gpu is linked to, or opens later, comes with a wheel or with the base."""

from __future__ import annotations

from collections.abc import Iterator

from builder.check.model import Case, Finding, finding
from builder.check.onnxruntime import PACKAGE, release_of
from builder.check.rows import LibraryFolder
from builder.check.spans import within

NAME = "onnxruntime_libraries"


def find(case: Case) -> Iterator[Finding]:
    """One error that names every library that nothing locked brings, with the wheels that hold them.

    Not asked where torch is there, whose wheels may hold them, or on a base image, which may too.
    """
    version = case.image.version(PACKAGE)
    if case.lock is None or version is None or "torch" in case.image or case.stack.base.image:
        return
    row = release_of(case, version)
    rows = case.facts["library_folders"]
    there = {one for held in rows if _locked(case, held) for one in held["libraries"]}
    opens = row.get("opens", ()) if row else ()
    missing = [one for one in (*(row["libraries"] if row else ()), *opens) if one not in there]
    if row and missing:
        wheels = [held["package"] for held in rows if set(held["libraries"]) & set(missing)]
        # From CUDA 13 on most names have no -cuNN at their end.
        others = tuple(f"-cu{major}" for major in (11, 12, 13) if str(major) != row["cuda"])
        bare = int(row["cuda"]) > 12
        wanted = sorted(
            {one for one in wheels if one.endswith(f"-cu{row['cuda']}") or (bare and not one.endswith(others))}
        )
        yield finding(
            NAME,
            [row],
            problem=f"nothing in the lock holds {', '.join(missing)}",
            cause=f"{PACKAGE} {version} is linked to them{' or opens them later' if opens else ''}; "
            "without them it silently runs on the CPU",
            fix=f"add {', '.join(wanted)} to `packages`",
            columns=["libraries", "opens"],
        )


def _locked(case: Case, held: LibraryFolder) -> bool:
    version = case.image.locked.get(held["package"])
    return version is not None and within(version, held.get("versions", ""))
