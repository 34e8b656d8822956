"""Docker Engine as the other rooms see it, through the docker SDK.

What the SDK cannot do is asked of the docker command, by `run` and `command`: builds (buildx), compose, and the cache
of builds. Which endpoint is meant is the command's word too (`probe`).
"""

from __future__ import annotations

import io
import posixpath
import subprocess
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from builder.engine import probe
from builder.engine.endpoint import Endpoint, words
from builder.engine.probe import EngineInfo
from builder.errors import JobError, SurroundingsError

if TYPE_CHECKING:
    import docker

_LAST_LINES = 12
_LARGEST_FILE, _LINKS = 64 << 20, 8  # bytes of a file that is copied out of a container, links followed on the way


@dataclass(frozen=True, kw_only=True)
class ImageFacts:
    """An image in the engine. size: bytes as the engine counts them (the containerd store adds the
    packed layers). layers: sha256 diff ids, base first. created: RFC 3339 time, "" when unset. env: NAME=VALUE.
    """

    id: str
    labels: Mapping[str, str]
    size: int
    layers: tuple[str, ...]
    created: str
    env: tuple[str, ...] = ()


class _AbsentError(JobError):
    """The engine has no such image or container."""


class Engine:
    """A Docker Engine that answered and can do what modelstacks needs."""

    def __init__(self, info: EngineInfo, prefix: Sequence[str], endpoint: Endpoint) -> None:
        self.info = info
        self.endpoint = endpoint
        self._prefix = list(prefix)

    @classmethod
    def connect(cls, host: str = "", *, builds: bool = True) -> Engine:
        """The engine at host (`unix://`, `tcp://`, `ssh://`), or the one the docker command uses when host is "".

        builds: whether images will be built, which alone needs buildx.

        Raises EngineError (a SurroundingsError) naming the remedy: no docker command, no answer, no permission,
        engine too old, buildx missing or too old where it builds, TLS verification switched off.
        """
        info, prefix, endpoint = probe.ask(host, builds=builds)
        return cls(info, prefix, endpoint)

    def require_buildx(self) -> None:
        """For one that was connected to without: raise EngineError where buildx is missing or too old."""
        if not self.info.buildx:
            self.info = replace(self.info, buildx=probe.buildx(self._prefix, self.info.host))

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
        """The docker SDK's client for the same endpoint, made on first use; `close` ends its connections."""
        return self.endpoint.client()

    @property
    def _api(self) -> Any:  # noqa: ANN401 - some of it has no types
        return self.client.api

    def close(self) -> None:
        """End the SDK client's connections."""
        self.endpoint.close()

    def image(self, reference: str) -> ImageFacts | None:
        """What the engine knows of an image (tag or id), None when it has none of that name."""
        try:
            with self._saying("docker image inspect failed", reference):
                facts = self._api.inspect_image(reference)
        except _AbsentError:
            return None
        config = facts.get("Config") or {}
        return ImageFacts(
            id=facts["Id"],
            labels=config.get("Labels") or {},
            size=int(facts.get("Size") or 0),
            layers=tuple((facts.get("RootFS") or {}).get("Layers") or ()),
            created=facts.get("Created") or "",
            env=tuple(config.get("Env") or ()),
        )

    def load(self, tar: Path | Iterator[bytes], what: str = "") -> tuple[str, ...]:
        """Load an image archive (docker or OCI layout), which may be made while it is sent; gives what it brought.

        what: as errors name it, if not by its path.
        """
        problem, what = "docker image load failed", what or str(tar)
        with self._saying(problem, what), tar.open("rb") if isinstance(tar, Path) else nullcontext(tar) as stream:
            said = _said(self._api.load_image(stream, quiet=True), problem, what)
        lines = "".join(said).splitlines()
        return tuple(line.split(": ", 1)[1].strip() for line in lines if line.startswith("Loaded image"))

    def pull(self, reference: str) -> list[str]:
        """Pull an image for amd64, with the logins of `docker login`; gives the engine's words, the digest in them.

        Raises JobError, the registry's words as its why.
        """
        problem = f"docker pull {reference} failed"
        with self._saying(problem, self.info.host):
            answer = self._api.pull(reference, stream=True, decode=True, platform="linux/amd64")
            return _said(answer, problem, self.info.host)

    def tag(self, source: str, target: str) -> None:
        """Give an image one more name."""
        from docker.utils import parse_repository_tag  # noqa: PLC0415 - 0.1 s

        with self._saying("docker image tag failed", source):
            self._api.tag(source, *parse_repository_tag(target))

    def remove(self, reference: str) -> None:
        """Take an image's name, and the image when it was its last, out of the engine; absent is fine."""
        with suppress(_AbsentError), self._saying("docker could not remove the image", reference):
            self._api.remove_image(reference)

    def container(self, name: str) -> Mapping[str, Any] | None:
        """What the engine knows of a container (name or id), None when it has none of that name."""
        try:
            with self._saying("docker container inspect failed", name):
                known: dict[str, Any] = self._api.inspect_container(name)
                return known
        except _AbsentError:
            return None

    def containers(self, *, named: str = "", stopped: bool = False) -> list[dict[str, Any]]:
        """The containers that run, and with stopped=True the others too, whose names hold this pattern."""
        with self._saying("docker ps failed", self.info.host):
            found: list[dict[str, Any]] = self._api.containers(all=stopped, filters={"name": named} if named else None)
            return found

    def start(self, image: str, command: Sequence[str], *, name: str, gpu: bool) -> None:
        """Start a container that goes when it ends: no network, a read-only root, a /tmp in memory, with gpu every GPU.

        Raises JobError with the engine's words as its why.
        """
        problem = f"docker run {name} failed"
        with self._saying(problem, self.info.host):
            limits = self._api.create_host_config(
                network_mode="none",
                read_only=True,
                tmpfs={"/tmp": "exec"},  # noqa: S108
                auto_remove=True,
                device_requests=self.gpu_requests() if gpu else [],
            )
            made = self._api.create_container(
                image, list(command[1:]), entrypoint=[command[0]], name=name, host_config=limits
            )
            self._api.start(made["Id"])

    def remove_container(self, name: str, *, running: bool = False) -> None:
        """Remove a container; absent is fine. Raises JobError where it runs, unless running is true."""
        from docker.errors import APIError  # noqa: PLC0415 - 0.1 s

        with suppress(_AbsentError), self._saying("docker rm failed", name):
            try:
                self._api.remove_container(name, force=running)
            except APIError as error:
                if not (running and error.status_code == 409):  # it is being removed already
                    raise

    @contextmanager
    def created(self, image: str) -> Iterator[str]:
        """The id of a container of an image that is never started, for the length of a with block."""
        with self._saying("docker create failed", image):
            made = self._api.create_container(
                image, ["true"], host_config=self._api.create_host_config(network_mode="none")
            )
        try:
            yield made["Id"]
        finally:
            self.remove_container(made["Id"], running=True)

    def copied(self, container: str, path: str) -> bytes | None:
        """A file of a container, links followed; None where there is none. Raises JobError for a very large one."""
        for _ in range(_LINKS):
            try:
                with self._saying("docker cp failed", path):
                    pieces, about = self._api.get_archive(container, path)
                    data = bytearray()
                    for piece in pieces:
                        data += piece
                        if len(data) > _LARGEST_FILE:
                            raise JobError(f"{path} is larger than {_LARGEST_FILE} bytes", where=container)
            except _AbsentError:
                return None
            if not about.get("linkTarget"):
                with tarfile.open(fileobj=io.BytesIO(data)) as tar:
                    stream = tar.extractfile(tar.getmembers()[0])
                    return stream.read() if stream else None
            path = posixpath.normpath(posixpath.join(posixpath.dirname(path), about["linkTarget"]))
        return None

    @contextmanager
    def exported(self, container: str) -> Iterator[IO[bytes]]:
        """The file system of a container as a tar stream. Raises JobError where the engine breaks off."""
        with self._saying("the engine could not export the container", container):
            yield io.BufferedReader(_Pieces(self._api.export(container)))

    @contextmanager
    def saved(self, image: str) -> Iterator[IO[bytes]]:
        """An image as a tar stream, as `docker save` writes it. Raises JobError where the engine breaks off."""
        with self._saying("the engine could not save the image", image):
            yield io.BufferedReader(_Pieces(self._api.get_image(image)))

    def gpu_arguments(self) -> list[str]:
        """The `docker run` arguments that give a container every GPU; empty when the engine offers none."""
        if self.info.cdi:
            return [word for device in self._cdi() for word in ("--device", device)]
        return ["--gpus", "all"] if self.info.nvidia_runtime else []

    def gpu_requests(self) -> list[docker.types.DeviceRequest]:
        """The same for the SDK, as the docker command makes them of its arguments."""
        from docker.types import DeviceRequest  # noqa: PLC0415 - 0.1 s

        if self.info.cdi:
            return [DeviceRequest(driver="cdi", device_ids=self._cdi())]
        return [DeviceRequest(count=-1, capabilities=[["gpu"]])] if self.info.nvidia_runtime else []

    def _cdi(self) -> list[str]:
        every = "nvidia.com/gpu=all"
        return [every] if every in self.info.cdi else list(self.info.cdi)

    @contextmanager
    def _saying(self, problem: str, where: str) -> Iterator[None]:
        """What the SDK raises: an _AbsentError for no such thing, SurroundingsError for no engine, else JobError."""
        from docker.errors import DockerException, NotFound  # noqa: PLC0415 - 0.1 s
        from requests import exceptions  # noqa: PLC0415 - comes with it

        try:
            yield
        except NotFound as error:
            raise _AbsentError(problem, where=where, why=words(error)) from None
        except (exceptions.ConnectionError, exceptions.ChunkedEncodingError) as error:
            fix = "start it again (`make engine`), then run the same command: what is finished is kept"
            raise SurroundingsError("the engine went away", where=self.info.host, why=words(error), fix=fix) from None
        except (DockerException, exceptions.RequestException, OSError) as error:
            raise JobError(problem, where=where, why=words(error)) from None


def _said(answer: Iterator[dict[str, Any]], problem: str, where: str) -> list[str]:
    """The lines of an engine's answer that comes in pieces. Raises JobError for an error among them."""
    lines = []
    for piece in answer:
        if "error" in piece:
            raise JobError(problem, where=where, why=str(piece["error"]).strip())
        lines.append(str(piece.get("stream") or piece.get("status") or ""))
    return lines


class _Pieces(io.RawIOBase):
    """An iterator of bytes as a file."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces, self._left = pieces, b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401
        while not self._left:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._left = piece
        size = min(len(buffer), len(self._left))
        buffer[:size], self._left = self._left[:size], self._left[size:]
        return size
