"""Both documents of one lock, and where they lie."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from builder.files import sha256_text, write_atomic
from builder.lock.model import StackLock
from builder.sbom import cyclonedx_form, spdx_form
from builder.sbom.parts import Part, parts
from builder.settings import Settings
from builder.spec.model import Stack

_SPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://modelstacks.invalid/sbom")


@dataclass(frozen=True)
class Sbom:
    """What an image holds, in both forms. lock: the digest of the lock that it was made from."""

    stack: str
    lock: str
    parts: tuple[Part, ...]
    cyclonedx: str
    spdx: str

    def write(self, folder: Path) -> tuple[Path, Path]:
        """Put both into a folder, as NAME.cdx.json and NAME.spdx.json."""
        one, other = folder / f"{self.stack}.cdx.json", folder / f"{self.stack}.spdx.json"
        write_atomic(one, self.cyclonedx)
        write_atomic(other, self.spdx)
        return one, other

    def document(self) -> dict[str, Any]:
        """For --json."""
        counts = {"shipped": sum(part.shipped for part in self.parts), "parts": len(self.parts)}
        licensed = sum(bool(part.licences) for part in self.parts)
        digests = {"cyclonedx": sha256_text(self.cyclonedx), "spdx": sha256_text(self.spdx)}
        return {"lock": self.lock, **counts, "with_licence": licensed, "sha256": digests}


def make(stack: Stack, lock: StackLock, settings: Settings) -> Sbom:
    """The documents of a stack's image: nothing but its stack file, its lock and the locked files shape their bytes.

    Raises InputError where a locked file is not fetched, or an extension not compiled.
    """
    found = parts(stack, lock, settings)
    serial = uuid.uuid5(_SPACE, lock.digest)
    return Sbom(
        stack=stack.name,
        lock=lock.digest,
        parts=tuple(found),
        cyclonedx=cyclonedx_form.write(stack.summary, lock, found, serial),
        spdx=spdx_form.write(stack.summary, lock, found, serial),
    )
