"""Libraries that ONNX Runtime's CUDA provider needs and does not find: it then runs on the CPU without an error."""

from __future__ import annotations

from collections.abc import Iterator

from builder.doctor.container.model import ContainerFinding, Evidence, Interpreter, Provider
from builder.doctor.container.plan import Plan, driver_for, driver_too_old, plans, release
from builder.doctor.container.remedy import install, lasting, now, pip

_SILENT = "ONNX Runtime then runs on the CPU, with a warning at most"


def find(evidence: Evidence) -> Iterator[ContainerFinding]:
    """An error for each interpreter whose CUDA provider cannot load; a warning where there is only the CPU build."""
    for python in evidence.interpreters:
        provider = next((one for one in python.providers if one.name == "cuda"), None)
        if provider is None:
            yield from _cpu_build(python, evidence)
            continue
        ways = plans(python, provider, evidence)
        kept = next((plan for plan in ways if plan.keep), None)
        if kept is None:
            continue  # linked to a CUDA that the facts do not know: its session tells
        if driver_too_old(evidence.gpu.driver, kept.build.cuda):
            yield _driver(python, kept, ways[0], evidence)
        elif kept.absent or kept.hidden:
            yield _finding(python, provider, kept, ways[0], evidence)


def _name(python: Interpreter) -> str:
    found = python.distribution("onnxruntime-gpu")
    return f"onnxruntime-gpu {found.version}" if found else "onnxruntime"


def _finding(python: Interpreter, provider: Provider, kept: Plan, best: Plan, evidence: Evidence) -> ContainerFinding:
    if not best.keep:
        rule, problem, why = "cuda_release", *_other_release(python, kept, best)
    elif kept.absent:
        rule = "provider_libraries"
        problem = f"{_name(python)} cannot use the GPU: {_list(kept.absent)} {_be(kept.absent)} not in the container"
        why = f"its CUDA provider needs CUDA {release(provider)} and cuDNN {kept.build.cudnn}; {_SILENT}"
    else:
        rule = "library_path"
        problem = f"{_name(python)} cannot use the GPU: {_list(tuple(kept.hidden))} {_be(tuple(kept.hidden))} in the "
        problem += "container, and the loader does not look there"
        why = f"LD_LIBRARY_PATH is {python.library_path or 'not set'} and the loader's cache lacks them; {_SILENT}"
        if python.torch and python.torch.cuda.startswith(f"{release(provider)}."):
            why += "; a program that imports torch before onnxruntime loads them by that"
    requirements = (*_runtime(best), *best.requirements)
    commands = [install(python, *requirements)] if requirements else []
    return ContainerFinding(
        rule=rule,
        level="error",
        where=python.python,
        problem=problem,
        why=why,
        fix=_fix(requirements, best.folders),
        try_now=now(evidence, python, commands, best.folders),
        image=lasting(python, commands, best.folders),
        source=best.build.source,
    )


def _other_release(python: Interpreter, kept: Plan, best: Plan) -> tuple[str, str]:
    """Problem and reason where another build of ONNX Runtime fits what is there better."""
    built, there = kept.build, best.build
    lost = (*kept.absent, *kept.hidden)
    problem = f"{_name(python)} is built for CUDA {built.cuda} and cuDNN {built.cudnn}; "
    problem += f"the container holds CUDA {there.cuda} and cuDNN {there.cudnn}"
    return problem, f"it does not find {_list(lost)}; {_SILENT}"


def _runtime(plan: Plan) -> tuple[str, ...]:
    return () if plan.keep else (f"onnxruntime-gpu{plan.build.versions}",)


def _driver(python: Interpreter, kept: Plan, best: Plan, evidence: Evidence) -> ContainerFinding:
    needs = driver_for(kept.build.cuda)
    fix = f"install driver {needs} or newer on the host"
    if not best.keep:
        fix += f", or {_fix((*_runtime(best), *best.requirements), best.folders)}"
    return ContainerFinding(
        rule="driver",
        level="error",
        where=python.python,
        problem=f"driver {evidence.gpu.driver} is too old for {_name(python)} (CUDA {kept.build.cuda})",
        why=f"CUDA {kept.build.cuda} runs from driver {needs} on",
        fix=fix,
        source="NVIDIA CUDA Toolkit release notes, minor-version compatibility",
    )


def _cpu_build(python: Interpreter, evidence: Evidence) -> Iterator[ContainerFinding]:
    found = python.distribution("onnxruntime")
    if found is None or not evidence.gpu.devices or python.distribution("onnxruntime-gpu"):
        return
    commands = [pip(python, "uninstall", "-y", "onnxruntime"), install(python, "onnxruntime-gpu")]
    yield ContainerFinding(
        rule="cpu_build",
        level="warning",
        where=python.python,
        problem=f"onnxruntime {found.version} is the CPU build, and the container has a GPU",
        why="only onnxruntime-gpu brings the CUDA provider",
        fix="uninstall onnxruntime, then install onnxruntime-gpu",
        try_now=now(evidence, python, commands),
        image=lasting(python, commands),
        source="onnxruntime.ai, install",
    )


def _fix(requirements: tuple[str, ...], folders: tuple[str, ...]) -> str:
    words = []
    if requirements:
        words.append(f"install {' '.join(requirements)}")
    if folders:
        words.append(f"add to LD_LIBRARY_PATH: {':'.join(folders)}")
    return ", and ".join(words)


def _list(names: tuple[str, ...]) -> str:
    return ", ".join(names)


def _be(names: tuple[str, ...]) -> str:
    return "is" if len(names) == 1 else "are"
