"""Doctor: what keeps this machine from doing its job, check by check, each with the one thing to do."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from builder.doctor.in_force import in_force
from builder.doctor.model import Diagnosis
from builder.doctor.needs import needs
from builder.doctor.network import examine
from builder.doctor.report import Report, refuse_existing, save_roots
from builder.settings import Settings
from builder.ui import Ui

__all__ = ["Diagnosis", "Report", "doctor"]


def doctor(names: Iterable[str], settings: Settings, ui: Ui, *, save_root: Path | None = None) -> Report:
    """Look at every host that the stacks need, and at the settings in force.

    save_root: a new file for the top-most certificate of each chain whose issuer is not trusted; saving
    changes nothing in what is trusted. What is wrong with the network is in the report, not raised.
    Raises InputError for a wrong stack, settings or save_root.
    """
    if save_root:
        refuse_existing(save_root)
    needed, nowhere = needs(names, settings)
    diagnoses = [*nowhere, *examine(needed, settings, ui)]
    saved = save_roots(diagnoses, save_root) if save_root else None
    if save_root and not saved:
        ui.say("no root is saved: no chain has an issuer that is not trusted")
    return Report(in_force(settings), diagnoses, saved)
