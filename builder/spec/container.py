"""What an image says of a container that is started from it: ports, labels, how its health is asked. No IO here."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import Field

from builder.spec.parts import Frozen
from builder.spec.text import PlainText, TargetPath, Text, refuse

LABEL_PATTERN = r"^(?!io\.modelstacks\.)[a-z0-9]([a-z0-9._-]{0,126}[a-z0-9])?$"
# Labels that every image of ours has; a stack's own would be a second line of the same name.
_OURS = {f"org.opencontainers.image.{word}" for word in ("title", "description", "version", "revision", "base.name")}


def _label(value: str) -> str:
    if value in _OURS or value.startswith("io.modelstacks."):
        raise refuse(f"the label {value} is written by every build", "leave it out, or choose another name")
    return value


LabelName = Annotated[
    str, Text(LABEL_PATTERN, "the name of a label (a-z 0-9 . _ -)", "org.opencontainers.image.licenses", _label)
]
RequirementsFile = Annotated[
    str, Text(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}\.txt$", "a .txt file beside stack.yaml", "requirements.txt")
]
Seconds = Annotated[int, Field(ge=1, le=86400)]
Port = Annotated[int, Field(ge=1, le=65535)]


UserName = Annotated[
    str,
    Text(
        r"^(?!root$)[a-z][a-z0-9-]{0,30}$",
        "the name of an ordinary user (a-z, 0-9 and '-'; at most 31 characters)",
        "app",
    ),
]


class User(Frozen):
    """Who runs a container's program where nobody else is named: an entry in passwd, and a home of its own."""

    name: UserName
    uid: int = Field(default=1000, ge=1000, le=59999, description="its number, and that of its group")
    home: TargetPath | None = Field(default=None, description="its home folder; /home/NAME if not given")

    @property
    def folder(self) -> str:
        """Its home folder."""
        return self.home or f"/home/{self.name}"


class Health(Frozen):
    """How the engine asks whether a container is well: a command, by exec, whose exit code is 0 while it is."""

    command: tuple[PlainText, ...] = Field(min_length=1, description="a program and its arguments, as in `entrypoint`")
    interval: Seconds = Field(default=30, description="seconds between two looks")
    timeout: Seconds = Field(default=30, description="seconds that one may take")
    start: Seconds = Field(default=60, description="seconds in which a failure does not count")
    retries: int = Field(default=3, ge=1, le=100, description="failures in a row that make it unhealthy")

    @property
    def options(self) -> str:
        """The options of a Dockerfile's HEALTHCHECK."""
        times = {"interval": self.interval, "timeout": self.timeout, "start-period": self.start}
        return " ".join([*(f"--{name}={value}s" for name, value in times.items()), f"--retries={self.retries}"])


def day(value: Any) -> Any:  # noqa: ANN401 - whatever YAML read
    """A YAML date as the text that it was written as; everything else as it is."""
    return value.isoformat() if type(value).__name__ == "date" else value


def _day(value: str) -> str:
    if not re.fullmatch(r"20\d\d-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])", value):
        raise refuse(f"{value!r} is no day", "write the year, month and day: 2024-05-01")
    return value


Day = Annotated[str, Text(r"^20[0-9]{2}-[01][0-9]-[0-3][0-9]$", "a day (YYYY-MM-DD, UTC)", "2024-05-01", _day)]
