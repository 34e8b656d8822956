"""A client that trusts the system's store alone finds public roots there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from builder.check.model import Case, Finding, finding
from builder.check.spans import within

NAME: Final = "trust_stores"


def find(case: Case) -> Iterator[Finding]:
    """An error where nothing brings ca-certificates; a warning on a base image, which may hold it."""
    base = case.stack.base
    if "ca-certificates" in (*case.stack.system, *(base.bootstrap.packages if base.bootstrap else ())):
        return
    told: set[str] = set()
    for row in case.facts[NAME]:
        version = case.image.version(row["package"])
        if row.get("roots", True) or row["client"] in told:
            continue  # whoever brings a client stands before it in the facts
        if version and within(version, row["versions"]):
            told.add(row["client"])
            yield finding(
                NAME,
                [row],
                level="warning" if base.image else "error",
                problem=f"{row['package']} {version} trusts no server without ca-certificates",
                cause=f"its client {row['client']} reads the system's store alone and brings no roots of its own",
                fix="add ca-certificates to `system`",
                about=row["package"],
            )
