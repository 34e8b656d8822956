"""The Python packages of a lock."""

from __future__ import annotations

from packaging.utils import canonicalize_name

from builder.audit.model import Package, Use
from builder.lock.model import StackLock


def packages(lock: StackLock) -> dict[Package, Use]:
    """Each with where the stack has it: in the image, or only where its extensions are compiled.

    A wheel that is still to be reached is among them, as its name and version are known.
    """
    image = [(one.project, one.version) for one in (*lock.wheels, *lock.built)]
    image += [(one.name, one.version) for one in lock.unresolved if one.kind == "wheel"]
    build = [(one.project, one.version) for one in (*lock.toolchain, *lock.tools)]
    found: dict[Package, Use] = {}
    uses: tuple[tuple[Use, list[tuple[str, str]]], ...] = (("image", image), ("build", build))
    for use, rows in uses:
        for name, version in rows:
            if name and version:
                found.setdefault(Package(str(canonicalize_name(name)), version), use)
    return dict(sorted(found.items()))
