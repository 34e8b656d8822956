"""A running container, asked through the docker command: its facts, and bounded runs of programs inside it."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import subprocess
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any, TypeVar

from pydantic import ValidationError

from builder.doctor.container.model import Facts, Seen
from builder.doctor.container.text import clean, last_line
from builder.errors import InputError, SurroundingsError

T = TypeVar("T", bound=Seen)
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,254}")
_BYTES = 4 << 20  # of an answer; what comes after is not read
_ERROR_BYTES = 64 << 10
_DOCKER_SECONDS = 30.0
GRACE = 10  # seconds that a probe is given to end by itself
_ENV = re.compile(
    r"(CUDA|CUDNN|NVIDIA|NV_CUD|CONDA)\w*|LD_LIBRARY_PATH|LD_PRELOAD|PATH|PYTHONPATH|VIRTUAL_ENV|TORCH_CUDA_ARCH_LIST"
)
_SECRET = re.compile(r"(?i)(-*[\w-]*(?:pass\w*|token|secret|key|credentials?)[=:])\S+")
_QUIET = {"PYTHONDONTWRITEBYTECODE": "1", "CUDA_CACHE_DISABLE": "1"}
# Ends by itself in the container, where nobody else would end it; sys.argv is left as `python -` would set it.
_START = "import signal,sys;signal.alarm(int(sys.argv.pop(1)));exec(compile(sys.stdin.read(),'<probe>','exec'))"


class ProbeError(Exception):
    """A program in the container gave no usable answer; the text says why."""


@dataclass(frozen=True, kw_only=True)
class Said:
    """The end of a program. code: -1 where it was ended for its time or its size. out, err: as far as read."""

    code: int
    out: str
    err: str


@dataclass(frozen=True, kw_only=True)
class Container:
    """A running container. facts: what the engine says of it."""

    facts: Facts

    @classmethod
    def find(cls, name: str) -> Container:
        """The running container of this name or id.

        Raises InputError where there is none or it does not run, SurroundingsError where no engine answers.
        """
        if not _NAME.fullmatch(name):
            raise InputError(f"{clean(name, 80)!r} is no name of a container", fix=_others())
        if shutil.which("docker") is None:
            raise SurroundingsError("there is no docker command on the PATH", fix="make engine")
        said = _bounded(["docker", "container", "inspect", "--format", "{{json .}}", name], "", _DOCKER_SECONDS)
        if said.code:
            if "no such container" in said.err.lower():
                raise InputError(f"the engine has no container {name}", fix=_others())
            raise SurroundingsError("the engine does not answer", why=last_line(clean(said.err)), fix="make engine")
        known = json.loads(said.out)
        state = known.get("State") or {}
        if state.get("Paused"):
            raise InputError(f"the container {name} is paused", fix=f"docker unpause {name}")
        if not state.get("Running") or state.get("Restarting"):
            status = clean(str(state.get("Status") or "not running"), 40)
            why = f"it is {status}, exit code {state.get('ExitCode')}"
            fix = _start(name, restarting=bool(state.get("Restarting")))
            raise InputError(f"the container {name} does not run", why=why, fix=fix)
        return cls(facts=_facts(known))

    def run(
        self,
        words: Sequence[str],
        *,
        stdin: str = "",
        env: Mapping[str, str] | None = None,
        seconds: float = _DOCKER_SECONDS,
    ) -> Said:
        """Run a program inside, as the container's own user, in the folder /; no shell, no terminal."""
        given = [word for pair in {**_QUIET, **(env or {})}.items() for word in ("--env", "=".join(pair))]
        command = ["docker", "exec", "--interactive", "--workdir", "/", *given, self.facts.id, *words]
        return _bounded(command, stdin, seconds)

    def probe(
        self, python: str, script: str, answer: type[T], *arguments: str, env: Mapping[str, str], seconds: int
    ) -> tuple[T, str]:
        """Run a script by a Python of the container; its JSON document, and the end of what it wrote to stderr.

        seconds: after which it is ended, inside as well. Raises ProbeError.
        """
        words = [python, "-B", "-c", _START, str(seconds), *arguments]
        said = self.run(words, stdin=script, env=env, seconds=seconds + GRACE)
        if said.code:
            late = said.code in (-1, 128 + 14)  # SIGALRM
            raise ProbeError(
                f"no answer within {seconds} s, or too long a one" if late else last_line(said.err) or "no answer"
            )
        try:  # the last line, as a container's Python may greet before the document
            return answer.model_validate_json(said.out.strip().rpartition("\n")[2]), said.err[-3000:]
        except ValidationError as error:
            first = error.errors()[0]
            raise ProbeError(f"not the document asked for: {clean(str(first['msg']), 200)}") from None


def _bounded(command: Sequence[str], stdin: str, seconds: float) -> Said:
    """Run a command to its end, or to the end of its time or of the bytes that are read of it."""
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )
    kept: dict[str, bytes] = {}
    ended = threading.Event()

    def read(name: str, stream: IO[bytes], limit: int) -> None:
        kept[name] = stream.read(limit)
        if stream.read(1):
            ended.set()
            process.kill()

    assert process.stdin and process.stdout and process.stderr  # noqa: S101 - all three are pipes
    readers = [
        threading.Thread(target=read, args=("out", process.stdout, _BYTES), daemon=True),
        threading.Thread(target=read, args=("err", process.stderr, _ERROR_BYTES), daemon=True),
    ]
    for reader in readers:
        reader.start()
    try:
        with contextlib.suppress(BrokenPipeError), process.stdin:
            process.stdin.write(stdin.encode())
        process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        ended.set()
    finally:
        process.kill()
        process.wait()
        for reader in readers:
            reader.join(timeout=5)
        process.stdout.close()
        process.stderr.close()
    out, err = (kept.get(name, b"").decode("utf-8", "replace") for name in ("out", "err"))
    return Said(code=-1 if ended.is_set() else process.returncode, out=out, err=clean(err, _ERROR_BYTES))


def _facts(known: Mapping[str, Any]) -> Facts:
    """The engine's document of a container as far as it matters; values of other variables may be secrets."""
    config, host = known.get("Config") or {}, known.get("HostConfig") or {}
    env = dict(item.partition("=")[::2] for item in config.get("Env") or ())
    return Facts(
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


def _start(name: str, *, restarting: bool) -> str:
    if restarting:
        return f"it starts again and again: docker logs {name} says why"
    return f"docker start {name}; if it ends at once, docker logs {name} says why"


def _others() -> str:
    """The containers that run, for one that was misspelt."""
    if shutil.which("docker") is None:
        return "make engine"
    names = clean(_bounded(["docker", "ps", "--format", "{{.Names}}"], "", _DOCKER_SECONDS).out).split()
    return f"name one of: {', '.join(names[:20])}" if names else "start the container first: none runs at the moment"
