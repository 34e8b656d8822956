"""Values of real kinds of machines, for rules that are held against them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from builder.engine.probe import EngineInfo
from builder.host import CdiSpec, Disk, Gpu, Host, Memory, Nvidia

GB = 10**9
MIB = 1 << 20
ENGINE = EngineInfo(
    host="unix:///var/run/docker.sock",
    version="26.1.5",
    buildx="0.13.1",
    store="overlay2",
    cdi=(),
    nvidia_runtime=False,
    root_dir="/var/lib/docker",
    architecture="x86_64",
)
WITH_GPU = replace(ENGINE, cdi=("nvidia.com/gpu=all",))
DISK = Disk(path=Path("/srv/modelstacks"), free=500 * GB, total=1000 * GB, device=1, writable=True, missing=False)

# No GPU at all.
BARE = Host(
    system="Debian GNU/Linux 12 (bookworm)",
    kernel="6.1.0-37-amd64",
    architecture="x86_64",
    wsl=False,
    root=True,
    cpus=8,
    memory=Memory(total=64 * GB, available=60 * GB, limit=None),
    nvidia=Nvidia(),
    toolkit="",
    cdi=(),
    engine=ENGINE,
    engine_lack=None,
    home_disk=DISK,
    engine_disk=replace(DISK, path=Path("/var/lib/docker")),
)


def gpu(name: str, capability: str, mib: int) -> Gpu:
    return Gpu(name=name, capability=capability, memory=mib * MIB, free=(mib - 500) * MIB)


def with_driver(driver: str, *gpus: Gpu, cuda: str = "") -> Nvidia:
    return Nvidia(driver=driver, cuda=cuda, gpus=gpus, module=driver, source="nvidia-smi", trouble="", cards=len(gpus))


CDI = CdiSpec(path=Path("/etc/cdi/nvidia.yaml"), devices=("all",), gone=())
H200 = replace(
    BARE,
    nvidia=with_driver("580.159.04", gpu("NVIDIA H200", "9.0", 143771)),
    toolkit="1.18.0",
    cdi=(CDI,),
    engine=WITH_GPU,
)
A100 = replace(H200, nvidia=with_driver("535.183.01", gpu("NVIDIA A100-SXM4-80GB", "8.0", 81920)))
RTX3060 = replace(H200, nvidia=with_driver("535.183.01", gpu("NVIDIA GeForce RTX 3060", "8.6", 12288)))
RTX5090 = replace(H200, nvidia=with_driver("570.133.07", gpu("NVIDIA GeForce RTX 5090", "12.0", 32607)))
# Windows' own driver number; what it knows of CUDA is libcuda's word.
WSL = replace(
    H200,
    wsl=True,
    kernel="5.15.167.4-microsoft-standard-WSL2",
    nvidia=replace(
        with_driver("566.36", gpu("NVIDIA GeForce RTX 4070", "8.9", 12282), cuda="12.7"), module="", cards=0
    ),
)
MISMATCH = replace(
    BARE,
    nvidia=Nvidia(
        driver="580.126.09",
        module="580.126.09",
        source="nvidia-smi",
        trouble="mismatch",
        said="Failed to initialize NVML: Driver/library version mismatch NVML library version: 580.159",
        cards=1,
    ),
)
NOUVEAU = replace(BARE, nvidia=Nvidia(cards=1, nouveau=True))
