"""After one host could not be reached: every host of the stack that cannot, and what each is needed for."""

from __future__ import annotations

from collections.abc import Mapping

from builder.doctor.checks import answer
from builder.doctor.model import Diagnosis, Need, host_of
from builder.doctor.needs import needs
from builder.doctor.network import examine
from builder.errors import Unreachable
from builder.settings import Settings
from builder.settings.program import PROGRAM
from builder.spec import Loaded
from builder.spec.service import Service
from builder.ui import Ui


class AllUnreachable(Unreachable):
    """All hosts that cannot be reached, in one error."""


def require_hosts(one: Loaded, settings: Settings, ui: Ui) -> None:
    """Before anything is resolved: raise Unreachable, naming all, where hosts of a stack cannot be reached or trusted
    and none of their mirrors can. What a host answers is left to who asks it in earnest."""
    if isinstance(one, Service):
        return
    needed, _ = needs([one], settings)
    bad = {item.subject: item.message for item in examine(needed, settings, ui) if _silent(item)}
    ways: dict[tuple[str, str], list[str]] = {}
    for need in needed:
        if host := host_of(need):
            ways.setdefault((need.label, need.name), []).append(host.subject)
    lost = {host: bad[host] for hosts in ways.values() if all(one in bad for one in hosts) for host in hosts}
    if lost:
        why = next(iter(lost.values()))
        raise _told(lost, one, needed, Unreachable(why, where=next(iter(lost)), why=why), ui)


def _silent(seen: Diagnosis) -> bool:
    """Whether a host has no name or no connection; one that is not trusted is told best by who meets it."""
    return seen.state == "bad" and seen.check != answer.NAME and "untrusted_top" not in seen.figures


def all_of(first: Unreachable, one: Loaded, settings: Settings, ui: Ui) -> Unreachable:
    """Ask all hosts of a stack at once, and show those that cannot be reached, answer with an error or are not trusted.

    Gives the error to end with; the first one as it is where all hosts answer by now.
    """
    if isinstance(first, AllUnreachable):
        return first
    ui.warn(f"{first.problem}; looking for what else cannot be reached")
    needed, _ = needs([one], settings)
    bad: dict[str, str] = {}
    for seen in examine(needed, settings, ui):
        if seen.state == "bad":
            bad.setdefault(seen.subject, seen.message)
    return _told(bad, one, needed, first, ui) if bad else first


def _told(bad: Mapping[str, str], one: Loaded, needed: list[Need], first: Unreachable, ui: Ui) -> Unreachable:
    """Show the hosts, and what each is needed for; gives the error that names them."""
    asked = _purposes(needed)
    rows = [[host, "; ".join(asked.get(host, ["redirects and files"])), why] for host, why in bad.items()]
    ui.table(f"{one.name}: hosts that cannot be used", ["host", "needed for", "why"], rows, talk=True)
    several = len(bad) > 1
    problem = f"{len(bad)} host{'s' if several else ''} that {one.name} needs cannot be used: {', '.join(bad)}"
    fix = f"let this machine reach {'them' if several else 'it'}, or name mirrors in modelstacks.toml (docs/proxies.md)"
    if (PROGRAM / "tests" / "rehearsal" / f"test_{one.name.replace('-', '_')}.py").is_file():
        fix += f"; `make rehearsal STACK={one.name}` shows the stack work without them"
    return AllUnreachable(problem, where=first.where, why=first.why or first.problem, fix=fix)


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
