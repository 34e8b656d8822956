"""What the smoke verb tells the pytest process it starts, and the fixtures' types that the checks use."""

from __future__ import annotations

import json
import subprocess
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

PROBE_SECONDS = 180  # the first CUDA call may read gigabytes of libraries from a cold disk
_PROBES = Path(__file__).resolve().parent / "probes"
_TAIL = 1500  # characters of a crash that are shown: the end of a traceback


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What the image should hold: values of the stack, and canonical name -> version of every locked Python package."""

    name: str
    python: str
    interpreter: str
    site_packages: str
    libraries: tuple[str, ...]
    gpus: tuple[str, ...]
    cuda: str | None
    pins: dict[str, str]

    def covers(self, capability: str) -> bool:
        """Whether code for the stack's gpus runs on a GPU: same major and no newer minor, or PTX that is not newer."""
        device = tuple(map(int, capability.split(".")))
        for item in self.gpus:
            built = tuple(map(int, item.removesuffix("+PTX").split(".")))
            if built <= device and (built[0] == device[0] or item.endswith("+PTX")):
                return True
        return False


@dataclass(frozen=True, kw_only=True)
class Session:
    """One run of the checks. no_gpu: why there is no GPU in the container, "" where there is one."""

    container: str
    expected: Expected
    gpu_mode: str
    no_gpu: str
    record: Path

    def write(self, path: Path) -> None:
        """Put the session into a JSON file for `read`."""
        path.write_text(json.dumps({**asdict(self), "record": str(self.record)}), encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Session:
        """The session that `write` put there."""
        values = json.loads(path.read_text(encoding="utf-8"))
        expected = values.pop("expected")
        expected["libraries"], expected["gpus"] = tuple(expected["libraries"]), tuple(expected["gpus"])
        return cls(**{**values, "expected": Expected(**expected), "record": Path(values["record"])})


class ProbeError(AssertionError):
    """A probe crashed, took too long or printed no JSON; the text says which, with the end of what it said."""


@dataclass
class Probes:
    """Runs a script of probes/ by the image's Python, each once per arguments; a failure is kept as well.

    Calling it with a name and arguments gives the probe's JSON document, or raises ProbeError.
    """

    container: str
    answers: dict[str, dict[str, Any]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)

    def __call__(self, name: str, *arguments: str) -> dict[str, Any]:
        key = " ".join((name, *arguments))
        if key not in self.answers and key not in self.failures:
            try:
                self.answers[key] = self._run(name, arguments)
            except ProbeError as error:
                self.failures[key] = str(error)
        if key in self.failures:
            raise ProbeError(self.failures[key])
        return self.answers[key]

    def _run(self, name: str, arguments: tuple[str, ...]) -> dict[str, Any]:
        script = (_PROBES / f"{name}.py").read_text(encoding="utf-8")
        command = ["docker", "exec", "-i", self.container, "/opt/venv/bin/python", "-", *arguments]
        try:
            done = subprocess.run(
                command, input=script, capture_output=True, text=True, timeout=PROBE_SECONDS, check=False
            )
        except subprocess.TimeoutExpired:
            raise ProbeError(f"probe {name} gave no answer within {PROBE_SECONDS} s") from None
        if done.returncode:
            said = (done.stderr or done.stdout).strip()[-_TAIL:]
            raise ProbeError(f"probe {name} ended with code {done.returncode}: {said}")
        try:
            answer = json.loads(done.stdout.strip().splitlines()[-1])
        except (IndexError, ValueError):
            raise ProbeError(f"probe {name} printed no JSON document: {done.stdout[-_TAIL:]!r}") from None
        if not isinstance(answer, dict):
            raise ProbeError(f"probe {name} printed {type(answer).__name__}, not a JSON object")
        return answer
