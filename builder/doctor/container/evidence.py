"""Look into a container: its Pythons, its libraries and its GPU, in a handful of runs that change nothing inside."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import builder.smoke.probes
from builder.doctor.container.facts import caches, modules
from builder.doctor.container.inside import Container
from builder.doctor.container.model import (
    Device,
    DriverFile,
    DriverGpus,
    Evidence,
    Interpreter,
    Loaded,
    OnnxSession,
    Process,
    System,
    User,
)
from builder.doctor.container.plan import sonames
from builder.doctor.container.text import clean, last_line, plain_path
from builder.inside import ProbeError
from builder.ui import Ui

_PROBES = Path(__file__).resolve().parent / "probes"
_OF_SMOKE = Path(builder.smoke.probes.__file__).resolve().parent  # probes that look alike here and there
_USUAL = ("python3", "python", "/opt/venv/bin/python", "/opt/conda/bin/python", "/usr/bin/python3")
_OLDEST = (3, 7)  # what the probes are written for
_AT_MOST = 6  # interpreters
_ASK_SECONDS = 10
# Of Python the longest: it imports each compiled module, and the first import of torch reads gigabytes.
_SYSTEM_SECONDS, _PYTHON_SECONDS, _GPU_SECONDS = 120, 500, 120
_SESSION_SECONDS = 300  # the first CUDA call may read gigabytes of libraries from a cold disk
_VERSION = "import sys; print(sys.executable); print('%d.%d' % sys.version_info[:2])"


def gather(container: Container, ui: Ui, site: Sequence[str] = ()) -> Evidence:
    """All that can be seen from outside and from inside. What could not be looked at is said in `unseen`.

    site: sha256 of the certificates that the site adds.
    """
    unseen: list[str] = []
    with ui.working(f"looking into the container {container.facts.name}"):
        pythons = _pythons(container, unseen)
    if not pythons:
        return Evidence(
            container=container.facts,
            system=_system_without_python(container),
            gpu=_gpu_without_python(container),
            interpreters=(),
            unseen=tuple(unseen),
        )
    system = System()
    try:
        system, _ = container.probe("system", pythons[0], _script("system"), System, env={}, seconds=_SYSTEM_SECONDS)
    except ProbeError as error:
        unseen.append(f"libraries and processes: {error}")
    gpu = _gpu(container, pythons[0])
    return Evidence(
        container=container.facts,
        system=system,
        gpu=gpu,
        interpreters=tuple(_interpreters(container, pythons, system, gpu, unseen, ui, site)),
        user=_user(container, pythons[0], system, unseen),
        unseen=tuple(unseen),
    )


def _user(container: Container, python: str, system: System, unseen: list[str]) -> User | None:
    """The user of the first Python that runs, else that of the image."""
    pid = next((one.pid for one in system.processes), 0)
    asked = json.dumps({"caches": {row["package"]: dict(row) for row in caches()}})
    try:
        return container.probe("user", python, _script("user"), User, str(pid), asked, env={}, seconds=_GPU_SECONDS)[0]
    except ProbeError as error:
        unseen.append(f"the user and what it may write: {error}")
        return None


def _script(name: str) -> str:
    return (_PROBES / f"{name}.py").read_text(encoding="utf-8")


def _of_smoke(name: str) -> str:
    return (_OF_SMOKE / f"{name}.py").read_text(encoding="utf-8")


def _pythons(container: Container, unseen: list[str]) -> list[str]:
    """The Pythons that answer and are new enough for the probes: those that the image names first, then the usual."""
    env = container.facts.env
    named = [env[name] + "/bin/python" for name in ("VIRTUAL_ENV", "CONDA_PREFIX") if plain_path(env.get(name, ""))]
    words = (*container.facts.entrypoint, *container.facts.command)
    called = [word for word in words if plain_path(word) and re.fullmatch(r"python[\d.]*", posixpath.basename(word))]
    found, old = [], []
    for python in dict.fromkeys((*called, *named, *_USUAL)):
        said = container.run([python, "-B", "-c", _VERSION], seconds=_ASK_SECONDS)
        lines = said.out.split()
        if said.code or len(lines) < 2 or not plain_path(lines[-2]):
            continue
        if re.fullmatch(r"[0-9]{1,3}\.[0-9]{1,3}", lines[-1]) and tuple(map(int, lines[-1].split("."))) >= _OLDEST:
            found.append(lines[-2])
        else:
            old.append(f"{python} is Python {clean(lines[-1], 20)}, too old for the probes (3.7 or newer)")
    unseen += [] if found else old
    return list(dict.fromkeys(found))


def _gpu(container: Container, python: str) -> DriverGpus:
    """The GPUs, asked through the driver's own libraries."""
    try:
        return container.probe("gpu", python, _of_smoke("gpu"), DriverGpus, env={}, seconds=_GPU_SECONDS)[0]
    except ProbeError as error:
        return DriverGpus(reason=clean(str(error), 300))


def _gpu_without_python(container: Container) -> DriverGpus:
    query = ["nvidia-smi", "--query-gpu=name,driver_version,compute_cap", "--format=csv,noheader"]
    said = container.run(query)
    rows = [[cell.strip() for cell in line.split(",")] for line in said.out.splitlines()[:64]]
    if said.code or not rows or any(len(row) != 3 for row in rows):
        return DriverGpus(reason=f"nvidia-smi does not run in the container: {last_line(said.err or said.out)}")
    return DriverGpus(driver=rows[0][1], devices=tuple(Device(name=row[0], capability=row[2]) for row in rows))


def _system_without_python(container: Container) -> System:
    """The distribution's name and the CUDA libraries of the loader's cache; libcuda.so is the driver's, and none."""
    release = re.search(r'^PRETTY_NAME="?([^"\n]*)', container.run(["cat", "/etc/os-release"]).out, re.MULTILINE)
    cached = re.findall(r"^[ \t]?(\S+) .*=> (\S+)$", container.run(["ldconfig", "-p"]).out, re.MULTILINE)
    cuda = {
        name: path for name, path in cached if re.match(r"lib(cudnn|cudart|cublas|cufft|curand|nvrtc|nvinfer)", name)
    }
    return System(
        os=release[1] if release else "",
        libraries={name: (path,) for name, path in list(cuda.items())[:200]},
        cached=tuple({posixpath.dirname(path) for path in cuda.values()}),
        **_driver_without_python(container, [path for name, path in cached if name == "libcuda.so.1"]),
    )


def _driver_without_python(container: Container, cached: Sequence[str]) -> dict[str, Any]:
    """The file that the loader's cache has for libcuda.so.1, whether the image holds it, and the host's driver."""
    kernel = re.search(
        r"Kernel Module(?: for \S+)?\s+(\d+(?:\.\d+)+)", container.run(["cat", "/proc/driver/nvidia/version"]).out
    )
    found: dict[str, Any] = {"kernel_driver": kernel[1] if kernel else ""}
    if not cached or not (path := plain_path(container.run(["readlink", "-f", cached[0]]).out.strip())):
        return found
    mounts = {
        word for line in container.run(["cat", "/proc/self/mountinfo"]).out.splitlines() for word in line.split()[4:5]
    }
    mounted = any(path == one or path.startswith(f"{one}/") for one in mounts if one != "/")
    size = container.run(["stat", "-c", "%s", path]).out.strip()
    told = not mounted and re.fullmatch(r"[0-9]{1,15}", size)
    return {
        **found,
        "driver": path,
        "driver_files": (DriverFile(path=path, size=int(size)),) if told and mounts else (),
    }


def _candidates(container: Container, pythons: Sequence[str], system: System) -> Iterator[Process]:
    """Interpreters worth a look: those of processes, with what these were given; others (pid 0) as the image has it."""
    yield from (one for one in system.processes if one.python)
    env = container.facts.env
    paths = {"library_path": env.get("LD_LIBRARY_PATH", ""), "python_path": env.get("PYTHONPATH", "")}
    for python in (*pythons, *system.pythons):
        yield Process(pid=0, python=python, library_path=paths["library_path"], python_path=paths["python_path"])


def _interpreters(
    container: Container,
    pythons: Sequence[str],
    system: System,
    gpu: DriverGpus,
    unseen: list[str],
    ui: Ui,
    site: Sequence[str],
) -> Iterator[Interpreter]:
    """Each interpreter once (by its prefix), those of running processes first, with a session where there is one."""
    asked: set[tuple[str, str]] = set()
    known: set[tuple[str, tuple[str, ...]]] = set()
    for one in _candidates(container, pythons, system):
        if (one.python, one.python_path) in asked or len(known) >= _AT_MOST:
            continue
        asked.add((one.python, one.python_path))
        env = {"LD_LIBRARY_PATH": one.library_path, "PYTHONPATH": one.python_path}
        try:
            found = _interpreter(container, one.python, env, site)
        except ProbeError as error:
            if one.pid or one.python in pythons:
                unseen.append(f"{one.python}: {error}")
            continue
        same = (found.prefix, tuple(sorted({each.folder for each in found.distributions})))
        if same in known:
            continue
        known.add(same)
        ui.say(f"{one.python}: Python {found.version}, {len(found.distributions)} packages")
        python = found.executable or one.python
        session = _session(container, python, env, found, gpu, unseen)
        more = {"python": python, "pid": one.pid, "library_path": one.library_path, "session": session}
        more["loaded"] = _loaded(container, python, env, found, unseen)
        yield found.model_copy(update=more)


def _interpreter(container: Container, python: str, env: Mapping[str, str], site: Sequence[str]) -> Interpreter:
    asked = {
        "modules": {row["module"]: row["distributions"] for row in modules()},
        "sonames": sonames(),
        "loads_for": ["onnxruntime-gpu"],
        "site": site,
    }
    script = _script("interpreter")
    return container.probe(
        "interpreter", python, script, Interpreter, json.dumps(asked), env=env, seconds=_PYTHON_SECONDS
    )[0]


def _session(
    container: Container, python: str, env: Mapping[str, str], found: Interpreter, gpu: DriverGpus, unseen: list[str]
) -> OnnxSession | None:
    """A session on CUDA where ONNX Runtime has it and a GPU is there, else on the CPU; None without ONNX Runtime."""
    if not any(one.module == "onnxruntime" and one.ok for one in found.imports):
        return None
    cuda = gpu.devices and any(one.name == "cuda" for one in found.providers)
    provider = "CUDAExecutionProvider" if cuda else "CPUExecutionProvider"
    try:
        session, said = container.probe(
            "session", python, _script("session"), OnnxSession, provider, env=env, seconds=_SESSION_SECONDS
        )
    except ProbeError as error:
        unseen.append(f"a session of ONNX Runtime on {provider}: {error}")
        return None
    return session.model_copy(update={"said": said})


def _loaded(
    container: Container, python: str, env: Mapping[str, str], found: Interpreter, unseen: list[str]
) -> Loaded | None:
    """What a process has loaded that imported torch and had its cuDNN load its parts; None without torch for CUDA."""
    if not (found.torch and found.torch.cuda):
        return None
    script, arguments = _of_smoke("process_map"), ("cpu", "torch")
    try:
        return container.probe("process_map", python, script, Loaded, *arguments, env=env, seconds=_SESSION_SECONDS)[0]
    except ProbeError as error:
        unseen.append(f"the libraries in a process of torch: {error}")
        return None
