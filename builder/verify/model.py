"""What verifying an image gives. No IO here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from builder.errors import JobError


@dataclass(frozen=True)
class Fault:
    """What is wrong. what: which thing, such as `layer 2` or `SBOM`. where: its digest, file or tag."""

    what: str
    where: str
    why: str


@dataclass
class Verified:
    """An image that was looked at. held: what was found to be right, in words."""

    image: str
    digest: str = ""
    stack: str = ""
    lock: str = ""
    tags: tuple[str, ...] = ()
    held: list[str] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        """For --json."""
        return asdict(self)

    def fault(self, what: str, where: str, why: str) -> None:
        """Note a fault, once."""
        found = Fault(what, where, why)
        if found not in self.faults:
            self.faults.append(found)

    @contextmanager
    def naming(self, what: str, where: str) -> Iterator[None]:
        """A JobError in the with block, such as other bytes than those of a digest, is a fault of this thing."""
        try:
            yield
        except JobError as error:
            self.fault(what, where, f"{error.problem}{': ' if error.why else ''}{error.why}")
