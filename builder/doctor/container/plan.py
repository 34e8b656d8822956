"""The shortest way to libraries that fit ONNX Runtime in one interpreter: which packages, which folders. No IO here."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from packaging.specifiers import SpecifierSet
from packaging.version import InvalidVersion, Version

from builder.check import packaged_facts
from builder.doctor.container.model import Evidence, Interpreter, Provider

_DRIVER = re.compile(r"lib(cuda|nvidia-[\w-]+|nvcuvid|nvoptix)\.so\.\d+")  # comes with the host's driver
_CUBLAS = re.compile(r"libcublas(?:Lt)?\.so\.([0-9]{1,4})")


@dataclass(frozen=True, kw_only=True)
class Build:
    """The releases of onnxruntime-gpu that are made for the same CUDA and cuDNN.

    versions: such as >=1.19,<1.27. needs: the CUDA libraries that each of them looks for, as far as is known.
    """

    versions: str
    cuda: str
    cudnn: str
    needs: tuple[str, ...]
    source: str


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A way to go. build: where it leads; keep: that is the installed one.

    absent: libraries that are nowhere. hidden: libraries that are there and not found, with the path of each.
    requirements: what to install. folders: what to add to the loader's path.
    """

    build: Build
    keep: bool
    absent: tuple[str, ...]
    hidden: Mapping[str, str]
    requirements: tuple[str, ...]
    folders: tuple[str, ...]

    @property
    def cost(self) -> int:
        """Packages to install, one more for a change of the path; another ONNX Runtime is one package."""
        return len(self.requirements) + bool(self.folders) + (not self.keep)


def plans(python: Interpreter, provider: Provider, evidence: Evidence) -> list[Plan]:
    """What could be done, the shortest first; the installed build wins a draw."""
    found = []
    for build in builds():
        keep = build.cuda == release(provider)
        if keep or (build.needs and _has_wheels(build, python) and not driver_too_old(evidence.gpu.driver, build.cuda)):
            found.append(_plan(build, keep, python, provider, evidence))
    return sorted(found, key=lambda plan: (plan.cost, not plan.keep))


def builds() -> Iterator[Build]:
    """The builds of onnxruntime-gpu on the default index, oldest first."""
    rows = packaged_facts()["onnxruntime_gpu"]
    for (cuda, cudnn), same in groupby(rows, key=lambda row: (row["cuda"], row["cudnn"])):
        group = list(same)
        named = [{*row["libraries"], *row.get("opens", ())} for row in group if row["libraries"]]
        yield Build(
            versions=_span([row["versions"] for row in group]),
            cuda=cuda,
            cudnn=cudnn,
            needs=tuple(sorted(set.intersection(*named))) if named else (),
            source="; ".join(dict.fromkeys(row["source"] for row in group[-1:])),
        )


def sonames() -> list[str]:
    """Every CUDA library that some wheel of the default index is known to hold."""
    return sorted({name for row in packaged_facts()["library_folders"] for name in row["libraries"]})


def release(provider: Provider) -> str:
    """The CUDA release a provider is linked to, by its cuBLAS; "" where it names none."""
    return next((match[1] for name in provider.needed if (match := _CUBLAS.fullmatch(name))), "")


def driver_for(cuda: str) -> str:
    """The oldest driver that runs programs of a CUDA release (major version), "" where it is not known."""
    families = packaged_facts()["cuda_driver_families"]
    return next((row["driver"] for row in families if row["first"].split(".")[0] == cuda), "")


def driver_too_old(driver: str, cuda: str) -> bool:
    """Whether a driver is known to be too old for a CUDA release (major version)."""
    try:
        return Version(driver) < Version(driver_for(cuda))
    except InvalidVersion:
        return False


def path_with(folders: Sequence[str], library_path: str) -> str:
    """A value of LD_LIBRARY_PATH: what it is now, then the folders that are not in it."""
    now = [part for part in library_path.split(":") if re.fullmatch(r"/[\w.+@~/-]*", part, re.ASCII)]
    return ":".join(dict.fromkeys((*now, *folders)))


def _span(versions: Sequence[str]) -> str:
    """From where the first range begins to where the last one ends."""
    low = next(str(one) for one in SpecifierSet(versions[0]) if one.operator.startswith(">"))
    high = [str(one) for one in SpecifierSet(versions[-1]) if one.operator.startswith("<")]
    return ",".join((low, *high))


def _has_wheels(build: Build, python: Interpreter) -> bool:
    """Whether the default index has wheels of a build for a Python, as far as is known."""
    short = ".".join(python.version.split(".")[:2])
    known = [row["versions"] for row in packaged_facts()["onnxruntime_gpu_wheels"] if row["python"] == short]
    return not known or any(True for _ in SpecifierSet(build.versions).filter(known[0]))


def _plan(build: Build, keep: bool, python: Interpreter, provider: Provider, evidence: Evidence) -> Plan:
    # What was not tried counts as found for the build that is there, and as lost for any other.
    lost = [name for name in build.needs if python.loads.get(name, "" if keep else "not tried")]
    if keep:
        lost = list(dict.fromkeys((*provider.missing, *lost)))
    lost = [name for name in lost if not _DRIVER.fullmatch(name)]
    hidden = {name: path for name in lost if (path := _best(evidence.system.libraries.get(name, ()), python))}
    absent = [name for name in lost if name not in hidden]
    wheels = {f"{package}{versions}": folder for package, versions, folder in _wheels(absent, build.cuda)}
    folders = [posixpath.dirname(path) for path in hidden.values()]
    folders += [f"{python.site}/{folder}" for folder in wheels.values() if python.site]
    searched = python.library_path.split(":")
    return Plan(
        build=build,
        keep=keep,
        absent=tuple(absent),
        hidden=hidden,
        requirements=tuple(wheels),
        folders=tuple(dict.fromkeys(folder for folder in folders if folder not in searched)),
    )


def _wheels(names: Sequence[str], cuda: str) -> Iterator[tuple[str, str, str]]:
    """Package, versions and folder of the wheels that hold libraries; each wheel's major version is its libraries'."""
    for name in names:
        found = re.search(r"\.so\.([0-9]{1,4})\b", name)
        if found is None:
            continue  # the container names what no wheel holds
        major = int(found[1])
        for row in packaged_facts()["library_folders"]:
            if name in row["libraries"] and _cuda_of(row) == cuda:
                yield row["package"], f">={major},<{major + 1}", row["folder"]
                break


def _cuda_of(row: Mapping[str, Any]) -> str:
    """The CUDA release that a wheel is for: by its name, and since CUDA 13 by its folder."""
    named = re.search(r"-cu(\d+)$", row["package"]) or re.search(r"/cu(\d+)/", row["folder"])
    return named[1] if named else ""


def _best(paths: Sequence[str], python: Interpreter) -> str:
    """The path to take of several: one of this interpreter's own packages before any other."""
    own = [path for path in paths if path.startswith((f"{python.prefix}/lib/", f"{python.site}/"))]
    return next(iter((*own, *paths)), "")
