"""The name of an advisory, as a stack accepts one. No IO here."""

from __future__ import annotations

from typing import Annotated

from builder.spec.text import Text

ADVISORY_PATTERN = r"^[A-Z][A-Z0-9]{1,15}(-[A-Za-z0-9]{1,20}){1,4}$"

AdvisoryId = Annotated[
    str, Text(ADVISORY_PATTERN, "the id of an advisory (CVE-…, GHSA-…, PYSEC-…)", "GHSA-3f63-hfp8-52jq")
]
