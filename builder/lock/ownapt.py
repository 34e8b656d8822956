"""What apt is told of a stack's own archives: their lines of sources, and which packages come from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from builder.files import write_atomic
from builder.net.urls import without_login
from builder.spec.parts import AptArchive

_BEHIND, _BEFORE = 100, 990  # apt's priorities: of an archive's packages 500 is usual, and the greatest is taken


def lines(own: Sequence[AptArchive], keys: Path, mirrors: Mapping[str, str], home: Path) -> list[str]:
    """The lines of sources.list, each with its own key alone, which is copied to home as that has a plain path."""
    found = []
    for number, one in enumerate(own):
        key = home / f"own-{number}{Path(one.key).suffix}"
        write_atomic(key, (keys / one.key).read_bytes())
        address = f"{without_login(mirrors[one.address])} {one.suite} {' '.join(one.components)}"
        found.append(f"deb [arch=amd64 signed-by={key}] {address}")
    return found


def preferences(own: Sequence[AptArchive], mirrors: Mapping[str, str], home: Path) -> str:
    """What apt.conf says of them, "" for none. An archive is told by its host: it chooses its other names itself."""
    found: list[str] = []
    for one in own:
        host = urlsplit(mirrors[one.address]).hostname
        for names, priority in ((one.packages, _BEFORE), (("*",), _BEHIND)):
            found += [f'Package: {name}\nPin: origin "{host}"\nPin-Priority: {priority}\n' for name in names]
    write_atomic(home / "preferences", "\n".join(found))
    return f'Dir::Etc::preferences "{home / "preferences"}";\n' if own else ""
