"""What a container holds beside its Python packages: running interpreters, CUDA libraries, toolkits, packages.

Prints one JSON document. Needs nothing but the standard library of Python 3.7.
"""

from __future__ import annotations

# ruff: noqa: T201
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

CUDA = re.compile(
    r"lib(cudnn\w*|cublas(Lt)?|cudart|cufft|curand|cusolver|cusparse|nvrtc|nvJitLink|nccl|nvinfer)\.so\.\d+(\.\d+)*$"
)
DRIVER = re.compile(r"lib(cuda|nvidia-ml|nvidia-ptxjitcompiler)\.so\.\d{3}\.\d+(\.\d+)?$")  # .so.570.86.15
PYTHON = re.compile(r"python(\d(\.\d+)?)?$")
PLACES = (
    "opt/*/bin/python",
    "opt/*/envs/*/bin/python",
    "venv/bin/python",
    ".venv/bin/python",
    "*/venv/bin/python",
    "*/.venv/bin/python",
    "root/*conda*/bin/python",
    "root/*conda*/envs/*/bin/python",
    "home/*/*conda*/bin/python",
    "home/*/*conda*/envs/*/bin/python",
    "usr/local/bin/python3",
)
FIRST = ("usr", "opt", "lib", "lib64", "root", "home")  # before folders that may hold data
WALK_SECONDS = 20.0
ASK = """
import ctypes, sys
library = ctypes.CDLL(sys.argv[1])
if "cudart" in sys.argv[1]:
    number = ctypes.c_int()
    library.cudaRuntimeGetVersion(ctypes.byref(number))
    print("%d.%d" % (number.value // 1000, number.value % 1000 // 10))
else:
    library.cudnnGetVersion.restype = ctypes.c_size_t
    number = library.cudnnGetVersion()
    base = 10000 if number >= 90000 else 1000
    print("%d.%d.%d" % (number // base, number % base // 100, number % 100))
"""


def text(path: str, limit: int = 65536) -> str:
    """The beginning of a file, "" where it cannot be read."""
    try:
        with Path(path).open("rb") as stream:
            return stream.read(limit).decode("utf-8", "replace")
    except OSError:
        return ""


def mapped(pid: int) -> dict[str, object]:
    """What is in the map of a process, nothing where it may not be read.

    loaded: CUDA libraries by file name. shared: anything of /dev/shm. triton: its compiler.
    """
    found: dict[str, list[str]] = {}
    lines = [line.split(None, 5) for line in text(f"/proc/{pid}/maps", 16 << 20).splitlines() if "/" in line]
    paths = {line[5] for line in lines if len(line) == 6}
    for path in sorted(paths):
        if CUDA.match(Path(path).name):
            found.setdefault(Path(path).name, []).append(path)
    shared = any(path.startswith("/dev/shm/") for path in paths)  # noqa: S108
    return {"loaded": found, "shared": shared, "triton": any(path.endswith("/libtriton.so") for path in paths)}


def processes() -> list[dict[str, object]]:
    """The running Python processes: pid, the interpreter as it was called, the paths it was given, what it loaded."""
    found = []
    for pid in sorted(int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()):
        if pid == os.getpid():
            continue
        words = text(f"/proc/{pid}/cmdline").split("\0")
        if not PYTHON.match(Path(words[0]).name):
            continue
        pairs = [item.partition("=") for item in text(f"/proc/{pid}/environ").split("\0")]
        environment = {name: value for name, _, value in pairs}
        place = words[0] if words[0].startswith("/") else shutil.which(words[0], path=environment.get("PATH"))
        paths = {"library_path": "LD_LIBRARY_PATH", "python_path": "PYTHONPATH"}
        given = {key: environment.get(name, "") for key, name in paths.items()}
        parent = re.search(r"^PPid:\s*(\d+)", text(f"/proc/{pid}/status"), re.M)
        more = {"parent": int(parent.group(1)) if parent else 0, "driver": driver_taken(given["library_path"])}
        found.append(dict(given, pid=pid, python=place or "", **mapped(pid), **more))
    return found[:50]


def cuda_libraries() -> tuple[dict[str, list[str]], list[str], bool]:
    """CUDA libraries by file name, each with the paths that hold it; files of a driver; whether time ran out."""
    found: dict[str, list[str]] = {}
    driver: list[str] = []
    end = time.monotonic() + WALK_SECONDS
    for folder, below, names in os.walk("/"):
        if folder == "/":
            below[:] = sorted(set(below).difference(("proc", "sys", "dev", "run")), key=lambda name: name not in FIRST)
        below[:] = [name for name in below if name != "stubs"]
        for name in names:
            if CUDA.match(name) and len(found.setdefault(name, [])) < 10:
                found[name].append(f"{folder}/{name}")
            if DRIVER.match(name) and len(driver) < 50:
                driver.append(f"{folder}/{name}")
        if time.monotonic() > end:
            return found, driver, True
    return found, driver, False


def of_layers(paths: list[str]) -> list[dict[str, object]]:
    """The files among them that nothing mounts, as the container toolkit mounts a driver's, with their sizes."""
    mounts = {line.split()[4] for line in text("/proc/self/mountinfo", 1 << 20).splitlines() if len(line.split()) > 4}
    found: list[dict[str, object]] = []
    for path in paths:
        places = {path, *map(str, Path(path).parents)} - {"/"}
        if not places & mounts and not Path(path).is_symlink():
            found.append({"path": path, "size": Path(path).stat().st_size})
    return found


def driver_taken(library_path: str) -> str:
    """The file that the loader takes for libcuda.so.1 with an LD_LIBRARY_PATH, "" where it finds none."""
    beside = [f"{folder}/libcuda.so.1" for folder in library_path.split(":") if folder.startswith("/")]
    return next((os.path.realpath(path) for path in (*beside, *CACHED_DRIVER) if os.access(path, os.R_OK)), "")


def cached() -> list[str]:
    """The paths of the loader's cache."""
    program = shutil.which("ldconfig", path="/sbin:/usr/sbin:/bin:/usr/bin")
    if program is None:
        return []
    done = subprocess.run([program, "-p"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False, timeout=20)
    return re.findall(r"=> (\S+)", done.stdout.decode("utf-8", "replace"))


def toolkits() -> dict[str, str]:
    """CUDA toolkits by folder, with the version that their own file tells."""
    found = {}
    for folder in sorted(map(str, Path("/usr/local").glob("cuda*"))):
        said = text(f"{folder}/version.json") or text(f"{folder}/version.txt")
        version = re.search(r'"cuda"\s*:\s*\{[^}]*"version"\s*:\s*"([\d.]+)"|CUDA Version ([\d.]+)', said)
        found[folder] = (version.group(1) or version.group(2)) if version else ""
    return found


def packages() -> dict[str, str]:
    """Installed packages of the distribution that hold CUDA parts (dpkg), with their versions."""
    found = {}
    for paragraph in text("/var/lib/dpkg/status", 50 << 20).split("\n\n"):
        name = re.search(r"^Package: (.+)$", paragraph, re.M)
        if name and re.match(r"(cuda-|libcu|libnv|libcudnn|libnccl|tensorrt|nvidia-)", name.group(1)):
            version = re.search(r"^Version: (.+)$", paragraph, re.M)
            if "Status: install ok installed" in paragraph:
                found[name.group(1)] = version.group(1) if version else ""
    return found


def versions(libraries: dict[str, list[str]]) -> dict[str, str]:
    """What cuDNN and the CUDA runtime say of themselves, each asked in a process of its own, by path."""
    found = {}
    names = sorted(name for name in libraries if re.match(r"lib(cudnn|cudart)\.so\.\d+(\.0)?$", name))
    for path in [path for name in names for path in libraries[name]][:8]:
        try:
            done = subprocess.run([sys.executable, "-B", "-c", ASK, path], capture_output=True, check=False, timeout=30)
        except subprocess.TimeoutExpired:
            continue
        said = done.stdout.decode("utf-8", "replace").strip()
        if done.returncode == 0 and re.match(r"[\d.]+$", said):
            found[path] = said
    return found


in_cache = cached()
CACHED_DRIVER = [path for path in in_cache if path.endswith("/libcuda.so.1")]
libraries, driver, cut = cuda_libraries()
kernel = re.search(r"Kernel Module(?: for \S+)?\s+(\d+(\.\d+)+)", text("/proc/driver/nvidia/version"))
release = re.search(r'^PRETTY_NAME="?([^"\n]*)', text("/etc/os-release"), re.M)
print(
    json.dumps(
        {
            "os": release.group(1) if release else "",
            "processes": processes(),
            "pythons": sorted({str(path) for place in PLACES for path in Path("/").glob(place)})[:30],
            "libraries": libraries,
            "cut": cut,
            "cached": sorted({str(Path(path).parent) for path in in_cache if CUDA.match(Path(path).name)}),
            "kernel_driver": kernel.group(1) if kernel else "",
            "driver_files": of_layers(driver),
            "driver": driver_taken(os.environ.get("LD_LIBRARY_PATH", "")),
            "toolkits": toolkits(),
            "packages": packages(),
            "versions": versions(libraries),
        }
    )
)
