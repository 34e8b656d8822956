"""A running container: its facts, and what programs and probes inside it say, cleaned."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from pydantic import ValidationError

from builder.doctor.container.model import Inspected, Seen
from builder.doctor.container.text import clean, last_line
from builder.engine.client import Engine
from builder.inside import Place, ProbeError, Said, container, probe

T = TypeVar("T", bound=Seen)
_BYTES = 4 << 20  # of an answer; what comes after is not read
_ERROR_BYTES = 64 << 10
_SECONDS = 30.0  # for a program that only tells; a cold disk included
_ENV = re.compile(
    r"(CUDA|CUDNN|NVIDIA|NV_CUD|CONDA)\w*|LD_LIBRARY_PATH|LD_PRELOAD|PATH|PYTHONPATH|VIRTUAL_ENV|TORCH_CUDA_ARCH_LIST"
)
_SECRET = re.compile(r"(?i)(-*[\w-]*(?:pass\w*|token|secret|key|credentials?)[=:])\S+")
_QUIET = {"PYTHONDONTWRITEBYTECODE": "1", "CUDA_CACHE_DISABLE": "1"}


@dataclass(frozen=True, kw_only=True)
class Container:
    """A running container. facts: what the engine says of it. place: where its programs run."""

    facts: Inspected
    place: Place

    @classmethod
    def find(cls, name: str) -> Container:
        """The running container of this name or id.

        Raises InputError where there is none or it does not run, SurroundingsError where no engine answers.
        """
        engine = Engine.connect(builds=False)
        facts = _facts(container.find(engine, name))
        place = Place(python="python3", environment=_QUIET, endpoint=engine.endpoint, container=facts.id)
        return cls(facts=facts, place=place)

    def run(self, words: Sequence[str], *, seconds: float = _SECONDS) -> Said:
        """Run a program inside, as the container's own user, in the folder /; no shell, no terminal."""
        said = self.place.run(words, seconds=seconds, limit=_BYTES)
        return replace(said, err=clean(said.err, _ERROR_BYTES))

    def probe(
        self,
        name: str,
        python: str,
        script: str,
        answer: type[T],
        *arguments: str,
        env: Mapping[str, str],
        seconds: int,
    ) -> tuple[T, str]:
        """Run a script by a Python of the container; its JSON document, and the end of what it wrote to stderr.

        seconds: after which it is ended, inside as well. Raises ProbeError.
        """
        place = replace(self.place, python=python, environment={**_QUIET, **env})
        said = probe.ask(place, name, script, arguments, seconds=seconds, limit=_BYTES)
        words = clean(said.err, _ERROR_BYTES)
        if said.code:
            raise ProbeError(last_line(words) or last_line(clean(said.out)) or "no answer")
        try:
            return answer.model_validate_json(probe.last_line(said)), words[-3000:]
        except ValidationError as error:
            first = error.errors()[0]
            raise ProbeError(f"not the document asked for: {clean(str(first['msg']), 200)}") from None


def _facts(known: Mapping[str, Any]) -> Inspected:
    """The engine's document of a container as far as it matters; values of other variables may be secrets."""
    config, host = known.get("Config") or {}, known.get("HostConfig") or {}
    env = dict(item.partition("=")[::2] for item in config.get("Env") or ())
    return Inspected(
        name=clean(str(known.get("Name") or "").lstrip("/"), 255),
        id=str(known["Id"]),
        image=str(config.get("Image") or ""),
        image_id=str(known.get("Image") or ""),
        entrypoint=_no_secrets(config.get("Entrypoint") or ()),
        command=_no_secrets(config.get("Cmd") or ()),
        user=str(config.get("User") or "root"),
        env={name: value for name, value in env.items() if _ENV.fullmatch(name)},
        runtime=str(host.get("Runtime") or ""),
        gpu_asked=_gpu_asked(host),
        read_only=bool(host.get("ReadonlyRootfs")),
    )


def _gpu_asked(host: Mapping[str, Any]) -> str:
    words = []
    for request in host.get("DeviceRequests") or ():
        if request.get("Driver") == "cdi":
            words += [f"--device {name}" for name in request.get("DeviceIDs") or ()]
        elif any("gpu" in names for names in request.get("Capabilities") or ()):
            words.append(f"--gpus {','.join(request.get('DeviceIDs') or ()) or 'all'}")
    if host.get("Runtime") == "nvidia":
        words.append("--runtime nvidia")
    nodes = [str(one.get("PathInContainer") or "") for one in host.get("Devices") or ()]
    words += [f"--device {node}" for node in nodes if node.startswith("/dev/nvidia")]
    return " ".join(words)


def _no_secrets(words: Sequence[str]) -> tuple[str, ...]:
    """A command without what stands behind --token and its like, in the same word or the next."""
    named = ["=" not in word and bool(_SECRET.fullmatch(f"{word}=x")) for word in ("", *words)]
    return tuple("***" if before else _SECRET.sub(r"\1***", word) for before, word in zip(named, words, strict=False))
