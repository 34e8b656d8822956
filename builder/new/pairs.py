"""Bounds that a pinned package needs and does not state: of what it brings, the releases that break it."""

from __future__ import annotations

import re

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from builder.check import packaged_facts
from builder.check.spans import within
from builder.new.decide import Draft
from builder.new.found import Decision
from builder.spec.model import Family


def bound(draft: Draft, family: Family) -> None:
    """Add a bound for each known pair whose first package is pinned here, and whose other one nothing here names."""
    there = {
        *draft.packages,
        *draft.without,
        *(str(canonicalize_name(Requirement(one).name)) for one in family.packages),
    }
    for row in packaged_facts()["package_pairs"]:
        if row["package"] not in draft.packages or row["other"] in there or row.get("toolchain") or row.get("capped"):
            continue
        pin = re.search(r"==([^,;*+\s]+)", draft.packages[row["package"]][0])
        most = re.fullmatch(r">=([\w.]+)", row["breaks"])
        needed = row.get("brings") or row.get("absent")
        if (
            pin
            and most
            and needed
            and within(Version(pin[1]), row["versions"])
            and there.issuperset(row.get("beside", ()))
        ):
            text = f"{row['other']}<{most[1]}"
            draft.packages[row["other"]] = (text, "")
            there.add(row["other"])
            why = f"{row['package']} {pin[1]}: {row['cause']} ({row['source']})"
            draft.decisions.append(Decision(kind="added", what=text, into="packages", why=why))
