"""What differs between two locks of one stack. No IO here."""

from __future__ import annotations

from packaging.utils import parse_wheel_filename

from builder.lock.model import Artifact, StackLock


def _told(item: Artifact | None) -> str:
    """A file's version, with its build where it has one: two files of one version are told apart."""
    build = parse_wheel_filename(item.filename)[2] if item and item.filename.endswith(".whl") else ()
    return f"{item.version}{f' (build {build[0]})' if build else ''}" if item else ""


def changed(old: StackLock | None, new: StackLock) -> tuple[tuple[str, str, str], ...]:
    """What differs, by (kind, project): (name, version before or "", version after or "")."""

    def table(one: StackLock | None) -> dict[tuple[str, str], Artifact]:
        return {(item.kind, item.project): item for item in (one.artifacts() if one else ())}

    before, after = table(old), table(new)
    return tuple(
        (key[1], _told(before.get(key)), _told(after.get(key)))
        for key in sorted(before.keys() | after.keys())
        if before.get(key) != after.get(key)
    )
