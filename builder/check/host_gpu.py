"""A stack against the driver and the GPUs of a machine. No IO here."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from packaging.version import InvalidVersion, Version

from builder.check.model import Case, Finding, finding
from builder.check.rows import CudaDriver, CudaDriverFamily, Facts, ForwardCompatibility, NamedGpu, Sourced
from builder.check.torch import code_of, covers, torch_of
from builder.host.model import Gpu, Nvidia

DRIVER, GPU, NO_GPU, REQUIRE = "host_driver", "host_gpu", "host_no_gpu", "host_require_cuda"
_BINARIES: Sourced = {
    "source": "docs.nvidia.com/cuda/cuda-c-programming-guide, Binary Compatibility, PTX Compatibility"
}


def runs(case: Case, nvidia: Nvidia, *, wsl: bool) -> str:
    """Whether the stack's image runs on the GPU here: "yes", "needs none", or why not in a few words."""
    if case.stack.cuda is None:
        return "needs none"
    found = gpu(case, nvidia, wsl=wsl)
    stops = (one.problem for one in found if one.level == "error" or one.rule == NO_GPU)
    return next(stops, "yes")


def gpu(case: Case, nvidia: Nvidia, *, wsl: bool) -> list[Finding]:
    """Whether the driver and a GPU here can run the stack; nothing for one without CUDA."""
    if case.stack.cuda is None:
        return []
    broken = trouble(nvidia, case.facts, wsl=wsl)
    if broken and not nvidia.gpus:
        return [broken]
    return [*_driver(case, nvidia, wsl=wsl), *_covered(case, nvidia), *_torch(case, nvidia)]


def trouble(nvidia: Nvidia, facts: Facts, *, wsl: bool) -> Finding | None:
    """What is wrong with the driver, None where nothing is; that a machine has no GPU is a warning, no error."""
    if not nvidia.trouble:
        return None
    if _without(nvidia, wsl=wsl):
        if wsl:
            return _no_gpu(
                "Windows gives this WSL no NVIDIA GPU", "install NVIDIA's driver in Windows, none inside WSL"
            )
        return _no_gpu("no NVIDIA GPU here", "none for building; run and test it on a machine that has one")
    nouveau = nvidia.nouveau and nvidia.trouble in ("no-driver", "not-loaded")
    name = "nouveau" if nouveau else nvidia.trouble
    row = next(row for row in facts["driver_troubles"] if row["trouble"] == name)
    said = f'{nvidia.source} says "{nvidia.said}"' if nvidia.said else ""
    module = f"the loaded module is {nvidia.module}" if nvidia.module else ""
    cause = "; ".join(part for part in (row["cause"], said, module) if part)
    return finding(DRIVER, [row], problem=row["problem"], cause=cause, fix=row["fix"])


def _without(nvidia: Nvidia, *, wsl: bool) -> bool:
    """Whether the machine has no NVIDIA GPU at all, whatever libraries of a driver lie about."""
    if wsl:  # which shows no card on the PCI bus
        return nvidia.trouble == "no-driver"
    idle = nvidia.trouble in ("no-driver", "not-loaded", "no-device", "other")
    return idle and not (nvidia.gpus or nvidia.cards or nvidia.module)


def _no_gpu(problem: str, fix: str) -> Finding:
    return Finding(
        rule=NO_GPU,
        level="warning",
        problem=problem,
        cause="it is no fault of the stack: images are built here, but what needs a GPU can be neither run nor tested",
        fix=fix,
        source="nvidia-smi, libcuda, the kernel and the PCI bus of this machine were asked",
    )


def _driver(case: Case, nvidia: Nvidia, *, wsl: bool) -> Iterator[Finding]:
    """Whether the driver is new enough for the stack's CUDA, by itself or by minor-version compatibility."""
    stack, facts = case.stack, case.facts
    wanted, knows = Version(stack.cuda or "0"), newest_cuda(nvidia, facts, wsl=wsl)
    if knows is None or knows >= wanted:
        return
    whole, family = _whole(wanted, facts), _family(wanted, facts)
    shown = f"driver {nvidia.driver}" if nvidia.driver else "the driver"
    if not _minor(wanted, knows, family, nvidia, wsl=wsl):
        row = family or whole
        yield finding(
            DRIVER,
            [row, *(_forward(nvidia, facts))],
            problem=f"{shown} is too old for CUDA {wanted}",
            cause=f"it knows CUDA up to {knows}; CUDA {wanted} runs on driver {row['driver']} or newer",
            fix=_newer(row["driver"], wanted, nvidia, facts, wsl=wsl),
        )
        return
    newer = _windows(wanted) if wsl else f"driver {whole['driver']} or newer"
    by_ptx = _only_ptx(case, nvidia)
    for one in by_ptx:
        yield finding(
            DRIVER,
            [whole],
            level="error" if len(by_ptx) == len({capability(each, facts) for each in nvidia.gpus}) else "warning",
            about=capability(one, facts),
            problem=f"{shown} cannot compile the PTX of CUDA {wanted}",
            cause=f"{one.name} ({capability(one, facts)}) is reached by PTX alone, which this driver's minor-version "
            f"compatibility leaves out (it knows CUDA up to {knows})",
            fix=f"{newer}, or add {capability(one, facts)} to `gpus`",
        )
    asked = re.search(r"nvidia/cuda:(\d+\.\d+)", stack.base.image or "")
    if asked and Version(asked[1]) > knows:
        yield finding(
            REQUIRE,
            [whole],
            level="warning",
            problem=f"a container on {stack.base.image} may refuse to start",
            cause=f"the image's NVIDIA_REQUIRE_CUDA asks for CUDA {asked[1]}, the driver knows {knows}",
            fix=f"{newer}, or `docker run -e NVIDIA_DISABLE_REQUIRE=1`, as minor-version compatibility holds here",
        )


def newest_cuda(nvidia: Nvidia, facts: Facts, *, wsl: bool) -> Version | None:
    """The newest CUDA that the driver knows; None where nobody can tell.

    On Linux by the driver's version; on WSL, where that is of Windows, and for a driver newer than all facts, as the
    driver itself says.
    """
    said, driver = _version(nvidia.cuda), _version(nvidia.driver)
    if wsl or driver is None:
        return said
    rows = facts["cuda_drivers"]
    older = [Version(row["cuda"]) for row in rows if Version(row["driver"]) <= driver]
    known = max(older, default=Version("0"))
    return max(known, said) if said and len(older) == len(rows) else known


def _minor(wanted: Version, knows: Version, family: CudaDriverFamily | None, nvidia: Nvidia, *, wsl: bool) -> bool:
    """Whether a driver made for an earlier minor version of CUDA runs programs of this one."""
    driver = _version(nvidia.driver)
    if wsl or driver is None or family is None:
        return knows.major == wanted.major
    return driver >= Version(family["driver"])


def _family(cuda: Version, facts: Facts) -> CudaDriverFamily | None:
    rows = facts["cuda_driver_families"]
    return next((row for row in rows if Version(row["first"]) <= cuda <= Version(row["last"])), None)


def _whole(cuda: Version, facts: Facts) -> CudaDriver:
    """The row of the oldest driver that knows this CUDA; of the newest driver known where none does."""
    rows = facts["cuda_drivers"]
    enough = [row for row in rows if Version(row["cuda"]) >= cuda]
    return min(enough, key=_by_driver) if enough else max(rows, key=_by_driver)


def _by_driver(row: CudaDriver) -> Version:
    return Version(row["driver"])


def _newer(least: str, cuda: Version, nvidia: Nvidia, facts: Facts, *, wsl: bool) -> str:
    if wsl:
        return _windows(cuda)
    fix, compat = f"install driver {least} or newer", f"cuda-compat-{cuda.major}-{cuda.minor}"
    covered = {row["covered"] for row in _forward(nvidia, facts)}
    if "yes" in covered:
        return f"{fix}, or put {compat} into the image: forward compatibility covers this GPU"
    return f"{fix}; {compat} in the image helps on selected cards of its kind" if "some" in covered else fix


def _windows(cuda: Version) -> str:
    return f"install a newer NVIDIA driver in Windows, one that knows CUDA {cuda}, then `wsl --shutdown`"


def _forward(nvidia: Nvidia, facts: Facts) -> list[ForwardCompatibility]:
    """The facts on forward compatibility of the kinds of GPU that are here."""
    kinds = {str(row["kind"]) for one in nvidia.gpus if (row := _named(one, facts))}
    return [row for row in facts["cuda_forward_compatibility"] if row["kind"] in kinds]


def _covered(case: Case, nvidia: Nvidia) -> Iterator[Finding]:
    """Whether the code that the stack's `gpus` ask for runs on the GPUs here."""
    gpus = case.stack.gpus
    left = [one for one in nvidia.gpus if (own := capability(one, case.facts)) and gpus and not asked_for(gpus, own)]
    if left:
        add = f"add {capability(left[0], case.facts)} to `gpus` where its torch and CUDA have it, or use another stack"
        cause = "code runs on its own compute capability and later ones of its major number, PTX on all later ones"
        yield _uncovered("gpus", f"its code for {', '.join(gpus)}", cause, add, left, case, nvidia, _BINARIES)


def _torch(case: Case, nvidia: Nvidia) -> Iterator[Finding]:
    """Whether the stack's torch has code for the GPUs here; nothing where it is not known what code it has."""
    torch = torch_of(case)
    row = code_of(case, torch.version, torch.cuda) if torch else None
    if torch is None or row is None:
        return
    code = row["capabilities"], row["ptx"]
    left = [one for one in nvidia.gpus if (own := capability(one, case.facts)) and not covers(*code, own)]
    if left:
        cause = f"its wheel holds code for {', '.join(row['capabilities'])}" + (", and PTX" if row["ptx"] else "")
        own = "use a stack whose torch has code for this GPU"
        yield _uncovered("torch", f"torch {torch.name}", cause, own, left, case, nvidia, row)


def _uncovered(
    about: str, what: str, cause: str, fix: str, left: Sequence[Gpu], case: Case, nvidia: Nvidia, row: Sourced
) -> Finding:
    """An error where code runs on no GPU of the machine, a warning where on some."""
    names = ", ".join(dict.fromkeys(f"{one.name} ({capability(one, case.facts)})" for one in left))
    every = len(left) == len(nvidia.gpus)
    return finding(
        GPU,
        [row],
        about=about,
        level="error" if every else "warning",
        problem=f"{what} does not run on {names}",
        cause=cause,
        fix=fix if every else "hide that GPU with CUDA_VISIBLE_DEVICES",
    )


def asked_for(gpus: Sequence[str], device: str) -> bool:
    """Whether code for compute capabilities such as "8.6" or "8.6+PTX" runs on a GPU of one."""
    return any(covers([bare := one.removesuffix("+PTX")], bare if one != bare else "", device) for one in gpus)


def _only_ptx(case: Case, nvidia: Nvidia) -> list[Gpu]:
    """The GPUs that the stack's code reaches by PTX alone, one of a kind."""
    found = {own: one for one in nvidia.gpus if (own := capability(one, case.facts))}
    gpus = case.stack.gpus
    code = [one.removesuffix("+PTX") for one in gpus]
    return [one for own, one in found.items() if asked_for(gpus, own) and not covers(code, "", own)]


def capability(one: Gpu, facts: Facts) -> str:
    """A GPU's compute capability: the driver's word, else by its name, else ""."""
    row = None if one.capability else _named(one, facts)
    return one.capability or (str(row["capability"]) if row else "")


def _named(one: Gpu, facts: Facts) -> NamedGpu | None:
    """The row of facts on a GPU of this name: of those that fit, the longest."""
    fitting = [row for row in facts["gpus"] if re.search(rf"\b{re.escape(row['gpu'])}\b", one.name, re.IGNORECASE)]
    return max(fitting, key=lambda row: len(row["gpu"]), default=None)


def _version(text: str) -> Version | None:
    try:
        return Version(text)
    except InvalidVersion:
        return None
