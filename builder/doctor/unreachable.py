"""After one host could not be reached: every host of the stack that cannot, and what each is needed for."""

from __future__ import annotations

from builder.doctor.model import Need, host_of
from builder.doctor.needs import needs
from builder.doctor.network import examine
from builder.errors import Unreachable
from builder.settings import Settings
from builder.settings.program import PROGRAM
from builder.spec import Loaded
from builder.ui import Ui


def all_of(first: Unreachable, one: Loaded, settings: Settings, ui: Ui) -> Unreachable:
    """Ask all hosts of a stack at once, and show those that cannot be reached, answer with an error or are not trusted.

    Gives the error to end with; the first one as it is where all hosts answer by now.
    """
    ui.warn(f"{first.problem}; looking for what else cannot be reached")
    needed, _ = needs([one], settings)
    bad: dict[str, str] = {}
    for seen in examine(needed, settings, ui):
        if seen.state == "bad":
            bad.setdefault(seen.subject, seen.message)
    if not bad:
        return first
    asked = _purposes(needed)
    rows = [[host, "; ".join(asked.get(host, ["redirects and files"])), why] for host, why in bad.items()]
    ui.table(f"{one.name}: hosts that cannot be used", ["host", "needed for", "why"], rows, talk=True)
    several = len(bad) > 1
    problem = f"{len(bad)} host{'s' if several else ''} that {one.name} needs cannot be used: {', '.join(bad)}"
    fix = f"let this machine reach {'them' if several else 'it'}, or name mirrors in modelstacks.toml (docs/proxies.md)"
    if (PROGRAM / "tests" / "rehearsal" / f"test_{one.name.replace('-', '_')}.py").is_file():
        fix += f"; `make rehearsal STACK={one.name}` shows the stack work without them"
    return Unreachable(problem, where=first.where, why=first.why or first.problem, fix=fix)


def _purposes(needed: list[Need]) -> dict[str, list[str]]:
    """By host, what it is asked for, without doubles."""
    found: dict[str, dict[str, list[str]]] = {}
    for need in needed:
        if host := host_of(need):
            found.setdefault(host.subject, {}).setdefault(need.label, []).extend(filter(None, [need.name]))
    return {
        host: [f"{label}: {', '.join(names)}" if names else label for label, names in wanted.items()]
        for host, wanted in found.items()
    }
