"""This machine, every host that the stacks need, and the settings in force, check by check."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

from builder.doctor import PARTS, Part
from builder.doctor.fix import Done, mend
from builder.doctor.host import examine as examine_host
from builder.doctor.host import examine_stacks
from builder.doctor.in_force import in_force
from builder.doctor.needs import needs
from builder.doctor.network import examine as examine_network
from builder.doctor.report import Report, Section, refuse_existing, save_roots
from builder.errors import InputError
from builder.host import look
from builder.settings import Settings
from builder.spec import Loaded
from builder.ui import Ui


def doctor(
    loaded: Iterable[Loaded],
    settings: Settings,
    ui: Ui,
    *,
    parts: Collection[Part] = PARTS,
    fix: bool = False,
    save_root: Path | None = None,
) -> Report:
    """Look at this machine, at every host that the stacks need, and at the settings in force.

    parts: the host part asks no network. fix: do first what is safe to do on this machine. save_root: a new file for
    the top-most certificate of each chain whose issuer is not trusted; saving changes nothing in what is trusted.
    What is wrong is in the report, not raised. Raises InputError for wrong settings or save_root, and where
    fix or save_root is asked of a part that is left out.
    """
    if fix and "host" not in parts:
        raise InputError("--fix mends the host part alone", fix="ask for the host part as well")
    if save_root and "network" not in parts:
        raise InputError("--save-root needs the network part", fix="ask for the network part as well")
    if save_root:
        refuse_existing(save_root)
    loaded = list(loaded)
    sections: list[Section] = []
    fixed: list[Done] = []
    if "host" in parts:
        found = look(settings)
        if fix:
            fixed = mend(found, settings, ui)
            found = look(settings) if fixed else found
        sections.append(Section("this machine", "", examine_host(found, settings)))
        sections.append(Section("stacks on this machine", "stack", examine_stacks(loaded, found, settings)))
    saved = None
    if "network" in parts:
        needed, nowhere = needs(loaded, settings)
        diagnoses = [*nowhere, *examine_network(needed, settings, ui)]
        saved = save_roots(diagnoses, save_root) if save_root else None
        sections.append(Section("network", "host", diagnoses))
    if save_root and not saved:
        ui.say("no root is saved: no chain has an issuer that is not trusted")
    return Report(in_force(settings), sections, saved, fixed)
