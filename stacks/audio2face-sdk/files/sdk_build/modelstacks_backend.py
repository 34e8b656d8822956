"""PEP 517 backend of Audio2Face-3D-SDK: prefetched parts to their places, CMake and Ninja without a network, one wheel.

Standard library alone. The wheel holds libaudio2x.so, its headers and a sample sound as the package audio2face_sdk, and
upstream's programs as scripts.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.metadata
import os
import re
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

NAME, VERSION = "audio2face_sdk", "1.0.0"  # the release that upstream's RELEASE names
DEPS = Path("_deps/target-deps")  # where upstream's find modules look; packman would fill it
CUDA, TENSORRT, BUILD = Path("_deps/cuda"), Path("_deps/tensorrt"), Path("_build/release")
LIBRARY = Path("audio2x-sdk/lib/libaudio2x.so")
PROGRAMS = (Path("audio2face-sdk/bin/sample-a2f-executor"), Path("audio2face-sdk/bin/audio2face-benchmarks"))
SOUND = Path("sample-data/audio_4sec_16k_s16le.wav")
LICENCE, LICENCES = Path("LICENSE.txt"), Path("licenses")  # its own, and those of what is linked into the library
POINTER = b"version https://git-lfs.github.com/spec/v1"
OLDEST = (10, 13)  # upstream's README: TensorRT >= 10.13, < 11.0; its CMake asks for no version


def build_wheel(wheel_directory: str, config_settings: object = None, metadata_directory: object = None) -> str:
    """The hook of PEP 517: build in the working folder, and give the name of the wheel in wheel_directory."""
    refuse_pointers()
    unpack()
    site = Path(sysconfig.get_path("purelib"))
    complete_cuda(site)
    complete_tensorrt(site)
    source = Path.cwd()
    subprocess.run(["cmake", *configuration(source)], check=True)
    targets = [LIBRARY.stem.removeprefix("lib"), *(path.name for path in PROGRAMS)]
    jobs = os.environ.get("MAX_JOBS", "1")
    subprocess.run(["cmake", "--build", str(BUILD), "--parallel", jobs, "--target", *targets], check=True)
    return pack(Path(wheel_directory))


def refuse_pointers() -> None:
    """End where a file that the build needs is a Git LFS pointer: git without LFS leaves those in a checkout."""
    wanted = [SOUND, *(path for path in Path("_deps").rglob("*") if path.is_file())]
    if absent := [path for path in wanted if not path.is_file()]:
        fail(f"{absent[0]} is missing; give it under `downloads`")
    for path in wanted:
        with path.open("rb") as stream:
            if stream.read(len(POINTER)) == POINTER:
                fail(f"{path} is a Git LFS pointer, not the file; take it from the media address, under `downloads`")


def unpack() -> None:
    """Put what is in each archive into the archive's folder: packman's hold files, NVIDIA's one folder of them."""
    for path in sorted(Path("_deps").rglob("*")):
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                archive.extractall(path.parent)  # noqa: S202 - held to its hash, in a stage of its own
        elif ".tar" in path.suffixes:
            with tarfile.open(path) as tree:
                for member in tree:
                    member.name = member.name.partition("/")[2]
                    if member.name:
                        tree.extract(member, path.parent)  # `filter` came with Python 3.10.12
        else:
            continue
        path.unlink()


def complete_cuda(site: Path) -> None:
    """Make _deps/cuda the one root that CMake asks for: the compiler is there, the rest is in a folder per wheel."""
    for part in sorted(site.glob("nvidia/*")):
        for path in sorted(part.rglob("*")):
            place = CUDA / path.relative_to(part)
            if path.is_file() and path.parts[len(part.parts)] in ("include", "lib") and not place.exists():
                place.parent.mkdir(parents=True, exist_ok=True)
                place.symlink_to(path)
    (CUDA / "lib").mkdir(exist_ok=True)
    name_libraries(CUDA / "lib")
    if not (CUDA / "lib64").exists():
        (CUDA / "lib64").symlink_to("lib")
    if not (CUDA / "bin/nvcc").is_file():
        fail("there is no CUDA compiler in _deps/cuda; give the archive cuda_nvcc under `downloads`")


def complete_tensorrt(site: Path) -> None:
    """Put the libraries beside the headers. Ends where they are of two releases, or older than upstream asks for."""
    (TENSORRT / "lib").mkdir(parents=True, exist_ok=True)
    for path in sorted((site / "tensorrt_libs").glob("lib*.so.*")):
        (TENSORRT / "lib" / path.name).symlink_to(path)
    name_libraries(TENSORRT / "lib")
    # 10.13 says TRT_MAJOR_ENTERPRISE 10, older ones NV_TENSORRT_MAJOR 10.
    text = (TENSORRT / "include/NvInferVersion.h").read_text()
    said = dict(re.findall(r"#define (?:NV_TENSORRT|TRT)_(MAJOR|MINOR|PATCH)(?:_ENTERPRISE)? +(\d+)", text))
    headers = tuple(int(said[part]) for part in ("MAJOR", "MINOR", "PATCH"))
    version = importlib.metadata.version("tensorrt-cu12-libs")
    libraries = tuple(int(part) for part in version.split(".")[:3])
    if headers != libraries:
        fail(f"the headers are of TensorRT {'.'.join(map(str, headers))}, tensorrt-cu12-libs is {version}")
    if not OLDEST <= libraries < (11,):
        fail(f"tensorrt-cu12-libs is {version}; the SDK asks for TensorRT >= 10.13, < 11")


def name_libraries(folder: Path) -> None:
    """Beside libNAME.so.1, the name libNAME.so that a linker looks for."""
    for path in sorted(folder.glob("lib*.so.*")):
        plain = folder / f"{path.name.partition('.so.')[0]}.so"
        if not plain.exists():
            plain.symlink_to(path.name)


def configuration(source: Path) -> list[str]:
    """CMake's arguments. Upstream's files stay as they are."""
    prefixes = sorted({path.parent for path in (source / DEPS).glob("*/include")})
    prefixes += sorted({path.parent for path in (source / DEPS).glob("*/release/include")})
    return [
        *("-S", str(source), "-B", str(BUILD), "-G", "Ninja"),
        "-DCMAKE_BUILD_TYPE=Release",
        f"-DCMAKE_CUDA_ARCHITECTURES={architectures(os.environ['TORCH_CUDA_ARCH_LIST'])}",
        f"-DCUDAToolkit_ROOT={source / CUDA}",
        f"-DTENSORRT_ROOT_DIR={source / TENSORRT}",
        # Upstream's find modules look into /usr before _deps: a zlib 1.2 there would end the configuration.
        f"-DCMAKE_PREFIX_PATH={';'.join(map(str, prefixes))}",
        # The image's loader knows all folders; paths of the build stage would say nothing there. The linker needs them.
        "-DCMAKE_SKIP_RPATH=ON",
        f"-DCMAKE_EXE_LINKER_FLAGS=-Wl,-rpath-link,{source / TENSORRT}/lib:{source / CUDA}/lib",
    ]


def architectures(capabilities: str) -> str:
    """The stack's `gpus`, as modelstacks hands them over ("8.6;9.0+PTX"), in CMake's words ("86-real;90")."""
    found = []
    for one in capabilities.split(";"):
        number, ptx = re.fullmatch(r"(\d+\.\d)(\+PTX)?", one).groups()
        found.append(number.replace(".", "") + ("" if ptx else "-real"))
    return ";".join(found)


def pack(folder: Path) -> str:
    """Write the wheel; gives its name."""
    tag, info = "py3-none-linux_x86_64", f"{NAME}-{VERSION}.dist-info"
    filename = f"{NAME}-{VERSION}-{tag}.whl"
    record = ""
    with zipfile.ZipFile(folder / filename, "w", zipfile.ZIP_DEFLATED) as wheel:
        for name, data in contents(info, tag):
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = (0o100755 if "/scripts/" in name else 0o100644) << 16
            wheel.writestr(entry, data)
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            record += f"{name},sha256={digest},{len(data)}\n"
        wheel.writestr(zipfile.ZipInfo(f"{info}/RECORD", (1980, 1, 1, 0, 0, 0)), f"{record}{info}/RECORD,,\n")
    return filename


def contents(info: str, tag: str) -> Iterator[tuple[str, bytes]]:
    """The files of the wheel."""
    yield f"{NAME}/__init__.py", b'"""The library, headers and a sample sound of Audio2Face-3D-SDK."""\n'
    yield f"{NAME}/lib/{LIBRARY.name}", (BUILD / LIBRARY).read_bytes()
    yield f"{NAME}/{SOUND}", SOUND.read_bytes()
    include = BUILD / LIBRARY.parent.parent / "include"
    for path in sorted(include.rglob("*.h")):
        yield f"{NAME}/include/{path.relative_to(include)}", path.read_bytes()
    for path in PROGRAMS:
        yield f"{NAME}-{VERSION}.data/scripts/{path.name}", (BUILD / path).read_bytes()
    yield f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {NAME.replace('_', '-')}\nVersion: {VERSION}\n".encode()
    yield f"{info}/WHEEL", f"Wheel-Version: 1.0\nGenerator: modelstacks\nRoot-Is-Purelib: false\nTag: {tag}\n".encode()
    for path in (LICENCE, *sorted(path for path in LICENCES.rglob("*") if path.is_file())):
        yield f"{info}/licenses/{path.name}", path.read_bytes()


def fail(why: str) -> None:
    """End the build, saying why."""
    sys.stderr.write(f"error: {why}\n")
    raise SystemExit(1)
