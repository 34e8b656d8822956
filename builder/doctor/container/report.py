"""What was found in a container: a table, one document, and a Markdown report to pass on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from builder.doctor.container.model import ContainerFinding, Evidence, Interpreter, Provider
from builder.doctor.container.plan import release
from builder.doctor.container.text import markdown
from builder.errors import InputError
from builder.files import write_atomic
from builder.ui import Ui, human_bytes

_ROWS, _CELL = 60, 1000  # rows of a table, characters of a cell
_SHOWN = ("onnxruntime", "onnxruntime-gpu", "torch", "numpy", "scipy", "tensorflow")


@dataclass(frozen=True)
class ContainerReport:
    """evidence: all that was seen. findings: worst first, in the order to mend them."""

    evidence: Evidence
    findings: Sequence[ContainerFinding]

    @property
    def errors(self) -> list[ContainerFinding]:
        """What cannot work as it is."""
        return [one for one in self.findings if one.level == "error"]

    def document(self) -> dict[str, Any]:
        """For --json."""
        findings = [one.document() for one in self.findings]
        return {"findings": findings, "evidence": self.evidence.model_dump(mode="json")}

    def show(self, ui: Ui) -> None:
        """The facts, the findings, and what to do about the first one."""
        ui.table(f"container {self.evidence.container.name}", ["what", "seen"], _few(self._rows()))
        if not self.findings:
            ui.tell("nothing is wrong with what was looked at")
            return
        rows = [[one.level, one.rule, one.where, one.problem, one.fix] for one in self.findings]
        ui.table("", ["level", "rule", "where", "problem", "fix"], _few(rows))
        first = self.findings[0]
        ui.tell(f"first: {first.fix}")
        ui.tell(f"because: {first.why}")
        for title, lines in (("to try it now", first.try_now), ("in the image", first.image)):
            for line in lines:
                ui.tell(f"{title}: {line}", whole=True)

    def write(self, path: Path) -> None:
        """Put the Markdown report at path. Raises InputError where it cannot be written."""
        try:
            write_atomic(path, self.markdown())
        except OSError as error:
            why, fix = error.strerror or "", "name a file that can be written"
            raise InputError("the report cannot be written", where=str(path), why=why, fix=fix) from None

    def markdown(self) -> str:
        """The report: each finding with its remedy, then the facts."""
        lines = [f"# Container {markdown(self.evidence.container.name)}", ""]
        if not self.findings:
            lines += ["Nothing is wrong with what was looked at.", ""]
        for number, one in enumerate(self.findings[:_ROWS], 1):
            lines += [f"## {number}. {markdown(one.problem)}", ""]
            lines += [f"- {title}: {markdown(text)}" for title, text in _told(one) if text]
            for title, commands in (("To try it in the running container:", one.try_now), ("In the image:", one.image)):
                if commands:
                    lines += ["", title, "", *(f"    {command}" for command in commands)]
            lines.append("")
        if len(self.findings) > _ROWS:
            lines += [f"… and {len(self.findings) - _ROWS} more.", ""]
        lines += ["## What was seen", "", "| what | seen |", "|---|---|"]
        lines += [f"| {markdown(what)} | {markdown(seen)} |" for what, seen in _few(self._rows())]
        return "\n".join(lines) + "\n"

    def _rows(self) -> list[list[str]]:
        rows = [*_container_rows(self.evidence), *_system_rows(self.evidence)]
        for python in self.evidence.interpreters:
            rows += _python_rows(python)
        return [[what, seen] for what, seen in rows if seen]


def _few(rows: Sequence[Sequence[str]]) -> list[list[str]]:
    """As many rows, and of each cell as much, as somebody reads; --json has them all."""
    found = [[cell if len(cell) <= _CELL else f"{cell[:_CELL]}…" for cell in row] for row in rows[:_ROWS]]
    return found + ([["…", f"and {len(rows) - _ROWS} more", *[""] * (len(rows[0]) - 2)]] if len(rows) > _ROWS else [])


def _missing(one: Provider) -> str:
    return (", ".join(one.missing) or "none") if one.traced else "the loader could not be asked"


def _told(one: ContainerFinding) -> list[tuple[str, str]]:
    return [("level", one.level), ("where", one.where), ("why", one.why), ("fix", one.fix), ("source", one.source)]


def _container_rows(evidence: Evidence) -> list[tuple[str, str]]:
    facts = evidence.container
    env = [f"{name}={value}" for name, value in facts.env.items() if name.startswith(("CUDA", "NVIDIA", "NV_"))]
    return [
        ("image", f"{facts.image} ({facts.image_id})"),
        ("entrypoint, command", f"{' '.join(facts.entrypoint) or '-'}, {' '.join(facts.command) or '-'}"),
        ("runtime, GPU asked for by", f"{facts.runtime}, {facts.gpu_asked or 'nothing'}"),
        ("environment", ", ".join(env)),
        ("distribution", evidence.system.os),
    ]


def _system_rows(evidence: Evidence) -> list[tuple[str, str]]:
    gpu, system = evidence.gpu, evidence.system
    devices = [f"{one.name} ({one.capability}, {human_bytes(one.memory)})" for one in gpu.devices]
    cudnn = [
        f"{path} ({system.versions.get(path, 'version not told')})"
        for name, paths in sorted(system.libraries.items())
        for path in paths
        if name.startswith(("libcudnn.so", "libcudart.so"))
    ]
    return [
        ("GPU", ", ".join(devices) or f"none: {gpu.reason}"),
        ("driver", f"{gpu.driver} (CUDA {gpu.cuda_of_driver})" if gpu.driver or gpu.cuda_of_driver else ""),
        ("CUDA toolkits", ", ".join(f"{path} {version}".strip() for path, version in system.toolkits.items())),
        ("CUDA runtime and cuDNN", ", ".join(cudnn)),
        ("CUDA packages", ", ".join(f"{name} {version}" for name, version in sorted(system.packages.items()))),
        ("loader's cache", ", ".join(system.cached)),
    ]


def _python_rows(python: Interpreter) -> list[tuple[str, str]]:
    name = python.python
    running = (", conda" if python.conda else "") + (f", runs as process {python.pid}" if python.pid else "")
    wheels = [one for one in python.distributions if one.name in _SHOWN or one.name.startswith(("nvidia-", "opencv-"))]
    rows = [
        (name, f"Python {python.version}, {len(python.distributions)} packages{running}"),
        (f"{name}: LD_LIBRARY_PATH", python.library_path),
        (f"{name}: packages", ", ".join(f"{one.name} {one.version}" for one in wheels)),
    ]
    for one in python.providers:
        cuda = [each for each in one.needed if each.startswith(("libcu", "libnv"))]
        needs = f"CUDA {release(one) or '?'}; needs {', '.join(cuda)}; not found: {_missing(one)}"
        rows.append((f"{name}: {one.name} provider", needs))
    rows += [(f"{name}: import {one.module}", "fails") for one in python.imports if not one.ok]
    if python.torch:
        arches = " ".join(python.torch.arches)
        rows.append((f"{name}: torch", f"{python.torch.version}, CUDA {python.torch.cuda or 'none'}, {arches}"))
    if session := python.session:
        ran = "runs, and is right" if session.right and session.providers[:1] == (session.provider,) else "does not run"
        rows.append((f"{name}: session on {session.provider}", ran))
    return rows
