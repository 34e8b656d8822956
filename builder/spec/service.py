"""What a service says: an image of someone else's that is pulled, kept and carried, never built. No IO here.

A folder of stacks holds it as a stack, in NAME/stack.yaml; `kind: service` tells the two apart.
"""

from __future__ import annotations

import re
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from builder.spec.image import ImageReference
from builder.spec.named import Named
from builder.spec.secrets import secret
from builder.spec.text import (
    ENV_PATTERN,
    NAME_PATTERN,
    AbsolutePath,
    EnvName,
    Name,
    PlainText,
    refuse,
)

KIND = "service"
_KERNELS = re.compile(r"/(proc|sys|dev)?(/|$)")


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, defer_build=True)


class Health(_Frozen):
    """How the service tells that it is ready: GET path answers 200 on one of its ports."""

    port: Name = Field(description="one of `ports`")
    path: AbsolutePath
    start: int = Field(default=60, ge=0, le=86400, description="seconds that its first start may take")


class Volume(_Frozen):
    """A named volume, which outlives the container."""

    into: AbsolutePath
    holds: PlainText = Field(description="what is in it")


class ServiceFile(_Frozen):
    """What stacks/NAME/stack.yaml says of a service."""

    kind: Literal["service"]
    summary: PlainText
    image: ImageReference = Field(description="by tag, or by digest; the lock adds the digest")
    licence: PlainText = Field(min_length=1, description="what its terms allow")
    ports: dict[Name, int] = Field(
        min_length=1,
        description="name and number of each port, published on this machine's loopback",
        json_schema_extra={"propertyNames": {"pattern": NAME_PATTERN}},
    )
    health: Health
    volumes: dict[Name, Volume] = Field(
        default_factory=dict, json_schema_extra={"propertyNames": {"pattern": NAME_PATTERN}}
    )
    env: dict[EnvName, PlainText] = Field(
        default_factory=dict, json_schema_extra={"propertyNames": {"pattern": ENV_PATTERN}}
    )
    switches: tuple[EnvName, ...] = Field(
        default=(), description="variables that the container gets where the shell that starts it has them"
    )
    secrets: tuple[EnvName, ...] = Field(
        default=(), description="variables that a file beside the compose file gives, and nothing else"
    )
    gpu: bool = Field(default=True, description="whether it needs one NVIDIA GPU")

    @model_validator(mode="after")
    def _whole(self) -> ServiceFile:
        if self.health.port not in self.ports:
            raise refuse(
                f"health.port {self.health.port!r} is none of `ports`", f"write one of {', '.join(self.ports)}"
            )
        if wrong := [f"{name} {number}" for name, number in self.ports.items() if not 0 < number < 65536]:
            raise refuse(f"port {wrong[0]} is not from 1 to 65535", "write the number the service listens on")
        if len(set(self.ports.values())) < len(self.ports):
            raise refuse("two of `ports` have one number", "name each port once")
        folders = [volume.into.rstrip("/") for volume in self.volumes.values()]
        if wrong_folders := [folder or "/" for folder in folders if _KERNELS.match(folder or "/")]:
            raise refuse(f"no volume can lie at {wrong_folders[0]}", "name the folder that the service writes to")
        if len(set(folders)) < len(folders):
            raise refuse("two of `volumes` lie at one folder", "give each a folder of its own")
        for name in (*self.env, *self.switches):
            if name in self.secrets or secret(name):
                raise refuse(f"{name} is a secret outside `secrets`", "list its name under `secrets`, and nowhere else")
        return self


class Service(ServiceFile, Named):
    """A service under its name."""
