"""What was seen in a container, as frozen values, and what follows from it. No IO here.

Documents of a container are not trusted: every text is cut and cleaned, and a path that is not plain is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from packaging.version import InvalidVersion, Version
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from builder.doctor.container.text import clean, one_line, plain_path

Level = Literal["error", "warning", "note"]
Text = Annotated[str, AfterValidator(one_line)]
Lines = Annotated[str, AfterValidator(clean)]
Number = Annotated[int, Field(ge=0, lt=1 << 60)]
PlainPath = Annotated[str, AfterValidator(plain_path)]
PlainPaths = Annotated[tuple[PlainPath, ...], AfterValidator(lambda given: tuple(filter(None, given)))]


class Seen(BaseModel):
    """A document of a container, or a part of one."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")


class Process(Seen):
    """A running Python. python: the interpreter as it was called.

    library_path, python_path: its LD_LIBRARY_PATH and its PYTHONPATH. loaded: CUDA libraries of its map by file name.
    parent: the pid of its parent. shared, triton: its map holds memory of /dev/shm, triton's compiler.
    driver: the file that the loader takes for libcuda.so.1 there.
    """

    pid: Number
    python: PlainPath
    library_path: Text
    python_path: Text
    loaded: Mapping[Text, PlainPaths] = Field(default_factory=dict)
    parent: Number = 0
    shared: bool = False
    triton: bool = False
    driver: PlainPath = ""


class DriverFile(Seen):
    """A file of a driver, in the image. size: bytes."""

    path: PlainPath
    size: Number


class System(Seen):
    """What the container holds beside Python packages.

    pythons: interpreters in the usual places. libraries: CUDA libraries by file name, with the paths that hold it; cut:
    there was no time to look everywhere. cached: folders of the loader's cache that hold CUDA libraries.
    toolkits: folder -> CUDA version. packages: of the distribution. versions: path -> what the library says it is.
    kernel_driver: the driver in the host's kernel. driver_files: those in the image; mounted ones are left out.
    driver: the file that the loader takes for libcuda.so.1 with the image's LD_LIBRARY_PATH.
    """

    os: Text = ""
    processes: tuple[Process, ...] = ()
    pythons: PlainPaths = ()
    libraries: Mapping[Text, PlainPaths] = Field(default_factory=dict)
    cut: bool = False
    cached: PlainPaths = ()
    toolkits: Mapping[Text, Text] = Field(default_factory=dict)
    packages: Mapping[Text, Text] = Field(default_factory=dict)
    versions: Mapping[Text, Text] = Field(default_factory=dict)
    kernel_driver: Text = ""
    driver_files: tuple[DriverFile, ...] = ()
    driver: PlainPath = ""


class Cache(Seen):
    """A folder that a package keeps files in. filled: it is there and holds something. program: it is on PATH."""

    path: Text
    writable: bool
    filled: bool
    program: bool = False


class User(Seen):
    """Whom the programs run as. named: /etc/passwd has it. name: what getpass says, "" where it raises.

    caches: by package or program. temporary: where tempfile writes, "" where it finds no place. shm, shm_free: bytes
    of /dev/shm, -1 unknown. compiler: the C compiler on PATH or in CC.
    """

    uid: Number
    named: bool
    name: Text
    home: Text
    caches: Mapping[Text, Cache]
    temporary: Text
    shm: Annotated[int, Field(ge=-1, lt=1 << 60)]
    shm_free: Annotated[int, Field(ge=-1, lt=1 << 60)]
    compiler: Text


class Device(Seen):
    """A GPU. memory: bytes."""

    name: Text
    capability: Text
    memory: Number = 0


class DriverGpus(Seen):
    """The GPUs that the driver shows. reason: why there is none."""

    driver: Text = ""
    cuda_of_driver: Text = ""
    devices: tuple[Device, ...] = ()
    reason: Text = ""


class Distribution(Seen):
    """An installed Python package. name: canonical. numpy, torch: its own requirements of these."""

    name: Text
    version: Text
    folder: Text
    numpy: tuple[Text, ...] = ()
    torch: tuple[Text, ...] = ()

    @property
    def release(self) -> Version | None:
        """The version, None where it is none."""
        try:
            return Version(self.version)
        except InvalidVersion:
            return None

    def __str__(self) -> str:
        """Name and version."""
        return f"{self.name} {self.version}"


class Provider(Seen):
    """A provider library of ONNX Runtime. needed: what it is linked to. missing: what the loader does not find for
    it, the needs of its needs included; traced: the loader could be asked.
    """

    name: Text
    path: Text
    needed: tuple[Text, ...]
    missing: tuple[Text, ...]
    traced: bool


class Import(Seen):
    """A compiled module, imported in a process of its own. said: the end of what it wrote to stderr."""

    module: Text
    ok: bool
    version: Text
    said: Lines


class Torch(Seen):
    """torch as it is. cuda: "" for a CPU build. arches: sm_NN and compute_NN. error: what starting CUDA said.
    numpy: what turning a tensor into an array said, "" where it worked.
    """

    version: Text
    cuda: Text
    arches: tuple[Text, ...]
    error: Lines
    numpy: Lines
    cudnn: Text = ""
    available: bool = False


class Loaded(Seen):
    """The CUDA libraries, by file name, in a process that imported torch and had cuDNN load its parts."""

    libraries: Mapping[Text, PlainPaths]


class OnnxSession(Seen):
    """A tiny model on one execution provider, without fallback. right: the result is exactly what it should be.
    said: the end of what ONNX Runtime wrote to stderr.
    """

    provider: Text
    version: Text
    available: tuple[Text, ...]
    providers: tuple[Text, ...]
    right: bool
    error: Lines
    said: Lines = ""


class Interpreter(Seen):
    """One Python. python: the path it was asked by. pid: of its process, 0 where none runs.

    closed: folders of sys.path that the container's user may not read. site: where pip would install.
    managed: pip refuses to, as the distribution owns this Python (PEP 668).
    loads: library name -> "" or why it is not loaded. torch_said: why torch gave no answer.
    roots: how many certificates the system's store gives it, -1 where that is not known. trusted: variable that names
    certificates -> its value, with `gone` where nothing is there.
    site_roots: where certificates are read from (a variable, certifi, system) -> one of the site's is there.
    library_path: the LD_LIBRARY_PATH that it was looked at with. loaded: None where torch was not looked at.
    """

    version: Text
    executable: PlainPath
    prefix: PlainPath
    site: PlainPath
    conda: bool
    pip: bool
    managed: bool
    distributions: tuple[Distribution, ...]
    closed: PlainPaths
    providers: tuple[Provider, ...]
    imports: tuple[Import, ...]
    loads: Mapping[Text, Text]
    torch: Torch | None
    torch_said: Lines
    python: PlainPath = ""
    pid: int = 0
    library_path: Text = ""
    session: OnnxSession | None = None
    loaded: Loaded | None = None
    roots: int = -1
    trusted: Mapping[Text, tuple[Text, ...]] = Field(default_factory=dict)
    site_roots: Mapping[Text, bool] = Field(default_factory=dict)

    def distribution(self, name: str) -> Distribution | None:
        """An installed package, the first on sys.path."""
        return next((one for one in self.distributions if one.name == name), None)


class Inspected(Seen):
    """What the engine says of the container. env: names that matter here, no others. gpu_asked: the words by which a
    GPU was asked for, "" where none was.
    """

    name: str
    id: str
    image: Text
    image_id: Text
    entrypoint: tuple[Text, ...]
    command: tuple[Text, ...]
    user: Text
    env: Mapping[Text, Text]
    runtime: Text
    gpu_asked: Text
    read_only: bool


class Evidence(Seen):
    """All that was seen. unseen: what could not be looked at, and why. user: None where it was not looked at."""

    container: Inspected
    system: System
    gpu: DriverGpus
    interpreters: tuple[Interpreter, ...]
    unseen: tuple[Text, ...]
    user: User | None = None

    @property
    def wants_gpu(self) -> bool:
        """Whether anything in the container is made for a GPU."""
        packages = {one.name for python in self.interpreters for one in python.distributions}
        torch = any(python.torch and python.torch.cuda for python in self.interpreters)
        asked = bool(self.container.gpu_asked or self.container.env.get("CUDA_VERSION"))
        return asked or torch or "onnxruntime-gpu" in packages or bool(self.system.libraries or self.system.toolkits)


@dataclass(frozen=True, kw_only=True)
class ContainerFinding:
    """Something that is wrong, and the shortest way out for this container.

    rule: its name. level: "error" where something cannot work, "warning" where it may not, "note" where it is as it is.
    where: an interpreter, or "container". try_now: commands for the running container, lost with it.
    image: Dockerfile lines that make it last. source: where the fact behind it is from.
    """

    rule: str
    level: Level
    where: str
    problem: str
    why: str
    fix: str
    try_now: tuple[str, ...] = ()
    image: tuple[str, ...] = ()
    source: str = ""

    def document(self) -> dict[str, Any]:
        """The finding as a JSON-ready mapping."""
        return dict(vars(self))
