"""Docker Engine as the other rooms see it: what it can do, its images, its command line.

The docker command and two of its answers (`docker info`, `docker context inspect`) tell all
that is needed, so DOCKER_HOST, DOCKER_CONTEXT and the current context are honoured by docker itself.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from builder.engine import probe
from builder.engine.probe import EngineInfo
from builder.errors import JobError

if TYPE_CHECKING:
    import docker

_LAST_LINES = 12


@dataclass(frozen=True, kw_only=True)
class ImageFacts:
    """An image in the engine. size: bytes as the engine counts them (the containerd store adds the
    packed layers). layers: sha256 diff ids, base first. created: RFC 3339 time, "" when unset.
    """

    id: str
    labels: Mapping[str, str]
    size: int
    layers: tuple[str, ...]
    created: str


class Engine:
    """A Docker Engine that answered and can do what modelstacks needs."""

    def __init__(self, info: EngineInfo, prefix: Sequence[str], endpoint: Mapping[str, Any]) -> None:
        self.info = info
        self._prefix = list(prefix)
        self._endpoint = endpoint
        self._client: docker.DockerClient | None = None

    @classmethod
    def connect(cls, host: str = "") -> Engine:
        """The engine at host (`unix://`, `tcp://`, `ssh://`), or the one the docker command uses when host is "".

        Raises EngineError (a SurroundingsError) naming the remedy: no docker command, no answer, no permission,
        engine or buildx missing or too old, TLS verification switched off.
        """
        info, prefix, endpoint = probe.ask(host)
        return cls(info, prefix, endpoint)

    def command(self, *args: str) -> list[str]:
        """The docker command line for this endpoint; run it with the environment unchanged."""
        return [*self._prefix, *args]

    def run(
        self,
        args: Sequence[str],
        *,
        input: str | None = None,  # noqa: A002 - the word of subprocess.run
        check: bool = True,
    ) -> subprocess.CompletedProcess[str]:
        """Run docker with args to its end, input on its stdin, both outputs captured.

        Raises JobError with the last lines of stderr when check is true and docker fails.
        """
        done = subprocess.run(
            self.command(*args),
            input="" if input is None else input,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        if check and done.returncode:
            last = "\n".join(done.stderr.strip().splitlines()[-_LAST_LINES:])
            raise JobError(
                f"docker {' '.join(args[:2])} failed with exit code {done.returncode}", where=self.info.host, why=last
            )
        return done

    @property
    def client(self) -> docker.DockerClient:
        """The docker SDK's client for the same endpoint, made on first use; `close` ends it."""
        if self._client is None:
            import docker  # noqa: PLC0415

            tls = probe.tls_files(self._endpoint)
            config: docker.tls.TLSConfig | bool = False
            if tls:
                config = docker.tls.TLSConfig(
                    client_cert=(str(tls["cert.pem"]), str(tls["key.pem"])) if "cert.pem" in tls else None,
                    ca_cert=str(tls["ca.pem"]) if "ca.pem" in tls else None,
                    verify=True,
                )
            host = self.info.host
            self._client = docker.DockerClient(base_url=host, tls=config, use_ssh_client=host.startswith("ssh://"))
        return self._client

    def close(self) -> None:
        """End the SDK client's connections, if one was made."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def image(self, reference: str) -> ImageFacts | None:
        """What the engine knows of an image (tag or id), None when it has none of that name."""
        args = ["image", "inspect", "--format", "{{json .}}", reference]
        done = self.run(args, check=False)
        if done.returncode:
            if "no such image" in done.stderr.lower():
                return None
            raise JobError("docker image inspect failed", where=reference, why=done.stderr.strip())
        facts = json.loads(done.stdout)
        return ImageFacts(
            id=facts["Id"],
            labels=(facts.get("Config") or {}).get("Labels") or {},
            size=int(facts.get("Size") or 0),
            layers=tuple((facts.get("RootFS") or {}).get("Layers") or ()),
            created=facts.get("Created") or "",
        )

    def load(self, tar: Path) -> tuple[str, ...]:
        """Load an image archive (docker or OCI layout); gives the references, or ids, it brought."""
        out = self.run(["image", "load", "--quiet", "--input", str(tar)]).stdout
        return tuple(line.split(": ", 1)[1].strip() for line in out.splitlines() if line.startswith("Loaded image"))

    def tag(self, source: str, target: str) -> None:
        """Give an image one more name."""
        self.run(["image", "tag", source, target])

    def remove(self, reference: str) -> None:
        """Take an image's name, and the image when it was its last, out of the engine; absent is fine."""
        done = self.run(["image", "rm", reference], check=False)
        if done.returncode and "no such image" not in done.stderr.lower():
            raise JobError("docker could not remove the image", where=reference, why=done.stderr.strip())

    def gpu_arguments(self) -> list[str]:
        """The `docker run` arguments that give a container every GPU; empty when the engine offers none."""
        if self.info.cdi:
            every = "nvidia.com/gpu=all"
            devices = [every] if every in self.info.cdi else list(self.info.cdi)
            return [word for device in devices for word in ("--device", device)]
        return ["--gpus", "all"] if self.info.nvidia_runtime else []
