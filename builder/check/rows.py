"""The rows of check/facts/*.yaml: one type for each file, which says its columns; the files' own first lines say more.

Versions are texts, ranges are those of PEP 440 ("" for all), a pair is the first and the last of a range.
"""

from __future__ import annotations

from pathlib import Path
from typing import cast, get_args, get_type_hints

from typing_extensions import NotRequired, TypedDict

from builder.facts import rows

FOLDER = Path(__file__).parent / "facts"


class Sourced(TypedDict):
    """What each row has. unverified: true, or the columns that nobody has read or measured."""

    source: str
    unverified: NotRequired[bool | tuple[str, ...]]


class ChangedReleases(Sourced):
    """Releases that do something else than those before, without an error at once."""

    packages: tuple[str, ...]
    versions: str
    change: str
    fix: str


class ComputeCapability(Sourced):
    """A compute capability, and the CUDA toolkits whose nvcc knows it."""

    capability: str
    name: str
    first: str
    last: str


class ConflictingPackages(Sourced):
    """Projects that install one Python package."""

    packages: tuple[str, ...]
    module: str
    fix: str


class CudaDriverFamily(Sourced):
    """The driver that the releases of CUDA from first to last run on."""

    first: str
    last: str
    driver: str


class CudaDriver(Sourced):
    """The driver that comes with a release of CUDA."""

    cuda: str
    update: str
    driver: str


class ForwardCompatibility(Sourced):
    """Whether cuda-compat covers a kind of GPU: yes, no or some."""

    kind: str
    covered: str


class CudaImage(Sourced):
    """Tags of an image, and whether they are gone from the registry or about to go."""

    image: str
    tag: str
    gone: bool


class CudaToolkit(Sourced):
    """The g++ that nvcc of a toolkit takes."""

    cuda: str
    gcc: tuple[int, int]


class Distribution(Sourced):
    """A distribution that bases are made of."""

    distribution: str
    release: str
    suite: str
    images: tuple[str, ...]
    gcc: int
    end: str


class DriverTrouble(Sourced):
    """Why a machine shows no GPU."""

    trouble: str
    problem: str
    cause: str
    fix: str


class ExecutableStacks(Sourced):
    """Wheels that cannot be imported where an executable stack is refused."""

    packages: tuple[str, ...]
    versions: str
    distributions: tuple[str, ...]
    fix: str


class GoneFromIndex(Sourced):
    """A release that has left the default index."""

    package: str
    version: str
    nearest: tuple[str, ...]


class NamedGpu(Sourced):
    """A GPU by the words that name it."""

    gpu: str
    capability: str
    kind: str


class HostNeed(Sourced):
    """What building takes of a machine."""

    what: str
    times: NotRequired[str]
    bytes: NotRequired[str]


class LibraryFolder(Sourced):
    """The libraries of one of NVIDIA's wheels, and their folder in site-packages."""

    package: str
    folder: str
    libraries: tuple[str, ...]
    versions: NotRequired[str]


class OnnxruntimeGpu(Sourced):
    """What builds of onnxruntime-gpu are made for, and the libraries that their CUDA provider needs."""

    versions: str
    cuda: str
    cudnn: str
    tensorrt: str
    libraries: tuple[str, ...]
    opens: NotRequired[tuple[str, ...]]
    driver: NotRequired[bool]
    capabilities: NotRequired[tuple[str, ...]]
    ptx: NotRequired[str]


class OnnxruntimeGpuWheels(Sourced):
    """The releases that the default index has wheels of, for one Python."""

    python: str
    versions: tuple[str, ...]


class PackagePair(Sourced):
    """Releases of two packages that do not go together."""

    rule: str
    name: str
    package: str
    versions: str
    other: str
    breaks: str
    cause: str
    fix: str
    brings: NotRequired[bool]
    capped: NotRequired[bool]
    absent: NotRequired[bool]
    beside: NotRequired[tuple[str, ...]]
    toolchain: NotRequired[bool]


class RebuiltWheel(Sourced):
    """A release that the index has a later build of."""

    package: str
    version: str
    build: int


class ServiceImage(Sourced):
    """Images of a service."""

    image: str
    passing_on: str
    profiles: tuple[str, ...]
    without: tuple[str, ...]
    otherwise: str


class SmokeName(Sourced):
    """A smoke test that there is."""

    check: str


class TemplateStubs(Sourced):
    """An extension that newer releases of nvcc compile with a flag alone."""

    package: str
    cuda: str
    needs: str
    kernels: str


class TensorRT(Sourced):
    """Releases of TensorRT, by CUDA and compute capability."""

    versions: str
    cuda: tuple[str, str]
    capabilities: tuple[str, str]
    meta: NotRequired[str]


class ToolkitParts(Sourced):
    """Wheels that are one compiler together."""

    package: str
    versions: str
    parts: tuple[str, ...]


class TorchBuild(Sourced):
    """The code that builds of torch hold."""

    torch: str
    cuda: tuple[str, ...]
    capabilities: tuple[str, ...]
    ptx: str


class TorchPart(Sourced):
    """A library of torch's wheels with code for fewer GPUs than the rest."""

    torch: str
    cuda: str
    library: str
    capabilities: tuple[str, ...]
    what: str
    fix: str


class TorchRelease(Sourced):
    """A release of torch and what goes with it."""

    torch: str
    torchvision: str
    torchaudio: str
    triton: str
    python: tuple[str, str]
    builds: dict[str, str]
    default: str
    glibc: str


class TorchWheels(Sourced):
    """A page of wheels that are compiled for one torch."""

    package: str
    address: str
    page: str


class Telemetry(Sourced):
    """Packages that report on their user, and the variable that stops them."""

    packages: tuple[str, ...]
    versions: str
    variable: str
    cause: str


class TrustStore(Sourced):
    """Whom a client trusts, and by what it is told."""

    package: str
    versions: str
    client: str
    store: bool
    variables: tuple[str, ...]
    roots: NotRequired[bool]


class UnbakeableWeights(Sourced):
    """A file whose terms keep it out of images."""

    what: str
    terms: str
    file: NotRequired[str]
    sha256: NotRequired[str]
    address: NotRequired[str]


class UnusableReleases(Sourced):
    """A project that is not what its name says."""

    package: str
    versions: str
    cause: str
    fix: str


class Facts(TypedDict):
    """All tables, by the name of their file; smoke_names is read from the folder of smoke tests."""

    changed_releases: tuple[ChangedReleases, ...]
    compute_capabilities: tuple[ComputeCapability, ...]
    conflicting_packages: tuple[ConflictingPackages, ...]
    cuda_driver_families: tuple[CudaDriverFamily, ...]
    cuda_drivers: tuple[CudaDriver, ...]
    cuda_forward_compatibility: tuple[ForwardCompatibility, ...]
    cuda_images: tuple[CudaImage, ...]
    cuda_toolkits: tuple[CudaToolkit, ...]
    distributions: tuple[Distribution, ...]
    driver_troubles: tuple[DriverTrouble, ...]
    executable_stacks: tuple[ExecutableStacks, ...]
    gone_from_index: tuple[GoneFromIndex, ...]
    gpus: tuple[NamedGpu, ...]
    host_needs: tuple[HostNeed, ...]
    library_folders: tuple[LibraryFolder, ...]
    onnxruntime_gpu: tuple[OnnxruntimeGpu, ...]
    onnxruntime_gpu_wheels: tuple[OnnxruntimeGpuWheels, ...]
    package_pairs: tuple[PackagePair, ...]
    rebuilt_wheels: tuple[RebuiltWheel, ...]
    service_images: tuple[ServiceImage, ...]
    smoke_names: tuple[SmokeName, ...]
    template_stubs: tuple[TemplateStubs, ...]
    telemetry: tuple[Telemetry, ...]
    tensorrt: tuple[TensorRT, ...]
    toolkit_parts: tuple[ToolkitParts, ...]
    torch_builds: tuple[TorchBuild, ...]
    torch_parts: tuple[TorchPart, ...]
    torch_releases: tuple[TorchRelease, ...]
    torch_wheels: tuple[TorchWheels, ...]
    trust_stores: tuple[TrustStore, ...]
    unbakeable_weights: tuple[UnbakeableWeights, ...]
    unusable_releases: tuple[UnusableReleases, ...]


class _Tables(dict[str, object]):
    """Each table is read when it is first asked for: most verbs ask for few of them."""

    def __missing__(self, name: str) -> object:
        self[name] = rows(FOLDER / f"{name}.yaml", get_args(get_type_hints(Facts)[name])[0])
        return self[name]


def read(smoke: Path) -> Facts:
    """All tables. smoke: the folder of the smoke tests, whose modules are the rows of smoke_names."""
    names = sorted(path.stem for path in smoke.glob("*.py") if not path.stem.startswith(("_", "conftest")))
    tests = tuple(SmokeName(check=name, source=f"builder/smoke/checks/{name}.py") for name in names)
    return cast(Facts, _Tables(smoke_names=tests))  # each row is of the kind that Facts says
