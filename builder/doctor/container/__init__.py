"""Doctor of a container: what keeps a running container, whoever built it, from using its GPU and its packages."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from builder.doctor.container.evidence import gather
from builder.doctor.container.inside import Container
from builder.doctor.container.model import ContainerFinding, Evidence
from builder.doctor.container.report import ContainerReport
from builder.doctor.container.rules import diagnose
from builder.ui import Ui

__all__ = ["ContainerFinding", "ContainerReport", "Evidence", "doctor_container"]


def doctor_container(name: str, ui: Ui, site: Sequence[bytes] = ()) -> ContainerReport:
    """Look into a running container (name or id) and say what is wrong, the shortest way out first.

    site: the certificates (DER) that this site adds to the public ones, and none of these.
    Changes nothing inside: probes go in on stdin and write no file. What is wrong is in the report, not raised.
    Raises InputError for a container that is unknown or does not run, SurroundingsError where no engine answers.
    """
    evidence = gather(Container.find(name), ui, [hashlib.sha256(one).hexdigest() for one in site])
    return ContainerReport(evidence, diagnose(evidence))
