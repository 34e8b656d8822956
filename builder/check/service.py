"""A service against packaged facts, and its GPU profiles against the GPUs of this machine. No IO here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from builder.check.model import Finding, finding
from builder.check.rows import Facts, ServiceImage
from builder.lock.service import ServiceLock
from builder.spec.service import Service

FACTS: Final = "service_images"
TERMS, DIGEST, PROFILE = "service_terms", "service_digest", "service_profile"


def check(service: Service, lock: ServiceLock | None, facts: Facts, gpus: Sequence[str] = ()) -> list[Finding]:
    """What is to know of a service before it is fetched. gpus: names of the machine's GPUs, as the driver has them."""
    found = []
    rows = [row for row in facts[FACTS] if service.image.split("@")[0].startswith(row["image"])]
    for row in rows:
        found.append(
            finding(
                TERMS,
                [row],
                level="warning",
                problem=f"{service.image} {row['passing_on']}",
                cause=f"the stack says of its licence: {service.licence}",
                fix="export it for sites of your own that have the licence, and publish compose files alone",
                columns=["passing_on"],
            )
        )
        found += [_profile(row, gpu) for gpu in gpus if service.gpu and not _fits(row, gpu)]
    if lock is None and "@" not in service.image:
        found.append(
            Finding(
                rule=DIGEST,
                level="warning",
                problem=f"the digest of {service.image} is not known yet",
                cause="it names a tag, which can move",
                fix=f"run `make lock STACK={service.name}` where its registry can be reached",
                source="the stack's own `image`",
            )
        )
    return found


def _fits(row: ServiceImage, gpu: str) -> bool:
    """Whether one of the row's profiles is for this GPU: every word of it stands in the GPU's name."""
    words = gpu.replace("-", " ").split()
    return any(all(word in words for word in profile.split()) for profile in row["profiles"])


def _profile(row: ServiceImage, gpu: str) -> Finding:
    return finding(
        PROFILE,
        [row],
        level="warning",
        problem=f"there are no engines to download for {gpu}",
        cause=f"there are profiles for {', '.join(row['profiles'])}; none for {', '.join(row['without'])} and others",
        fix=row["otherwise"],
        about=gpu.replace(" ", "-"),
        columns=["profiles", "without"],
    )
