"""The base still gets security updates, and the registry still has its image."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from fnmatch import fnmatchcase

from builder.check.cuda import distribution_of
from builder.check.model import Case, Finding, finding

NAME = "base_end_of_life"


def find(case: Case) -> Iterator[Finding]:
    """A warning where its distribution's updates had ended on the day the lock was made (today before there is one),
    or where its image is gone from the registry or about to go."""
    row = distribution_of(case)
    if row and case.day > date.fromisoformat(row["end"]):
        newest = max(
            (one for one in case.facts["distributions"] if one["distribution"] == row["distribution"]),
            key=lambda one: str(one["end"]),
        )
        yield finding(
            NAME,
            [row],
            level="warning",
            problem=f"the base is {row['distribution']} {row['release']}, whose updates ended on {row['end']}",
            cause="holes found since then stay open in it",
            fix=f"take a family of {newest['distribution']} {newest['release']} or another that is still supported",
            about="distribution",
            columns=["end"],
        )
    repository, _, tag = (case.stack.base.image or "").partition("@")[0].rpartition(":")
    for image in case.facts["cuda_images"]:
        if repository.endswith(image["image"]) and fnmatchcase(tag, image["tag"]):
            yield finding(
                NAME,
                [image],
                level="warning",
                problem=f"{repository}:{tag} {'has left' if image['gone'] else 'is to leave'} its registry",
                cause="NVIDIA deletes images some time after their support ends",
                fix="mirror the image and lock it by digest, or take a newer one",
                about="image",
            )
