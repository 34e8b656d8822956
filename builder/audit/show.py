"""What an audit says of one stack, for people."""

from __future__ import annotations

from collections.abc import Sequence

from builder.audit.model import Audited, Vulnerable
from builder.ui import Ui

_NAMED = 8  # packages that a line names


def show(one: Audited, asked: Sequence[str], ui: Ui) -> None:
    """A table of what is known, and a line for each thing that an exit code does not say."""
    accepted = len(one.vulnerable) - len(one.open)
    told = f"{len(one.open)} known vulnerabilities" + (f", {accepted} more accepted" if accepted else "")
    ui.tell(f"{one.stack}: {one.packages} packages, {told} (asked: {', '.join(asked) or 'nobody'})")
    if one.vulnerable:
        rows = [_row(item) for item in sorted(one.vulnerable, key=lambda item: (bool(item.accepted), item.package))]
        ui.table("", ["package", "advisory", "fixed in", "what"], rows)
    if one.unknown:
        ui.tell(f"  not known there, so nothing is known of them: {_some([item.name for item in one.unknown])}")
    if one.unasked:
        ui.warn(f"{one.stack}: nobody could be asked about {_some([item.name for item in one.unasked])}")
    for key in one.idle:
        ui.warn(f"{one.stack}: `accept-advisories` names {key}, and no locked package has it: take it out")


def _row(one: Vulnerable) -> list[str]:
    place = "" if one.use == "image" else "\n(build only)"
    what = f"accepted: {one.accepted}" if one.accepted else one.advisory.summary
    fixed = ", ".join(one.fixed[:3]) or "-"
    return [f"{one.package.name} {one.package.version}{place}", "\n".join(one.advisory.ids), fixed, what]


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{', '.join(names[:_NAMED])}{more}"
