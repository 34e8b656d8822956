"""The stack audio2face-sdk: what is declared, how it compiles, and what smoke finds wrong in its image.

The source of the SDK, TensorRT's libraries and headers, and the archives of packman are stand-ins of ours of the same
shape (standins/audio2face_sdk), served over TLS under the names that the stack has. CUDA's compiler is real, of 13.0:
that of 12.8 is on no index. Real are CMake, Ninja, g++, the engine, the compile without a network, and the image.
"""

from __future__ import annotations

import importlib.util
import io
import re
import shutil
import subprocess
import tarfile
import wave
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from uv import find_uv_bin

from builder import settings as site
from builder.build import build
from builder.build.compile import compile_all
from builder.bundle.content import stack_items
from builder.engine.client import Engine
from builder.errors import InputError, JobError
from builder.fetch import fetch
from builder.fetch.pending import settle
from builder.lock import StackLock, resolve
from builder.net.urls import clean_url
from builder.render import recipes, render_recipe
from builder.smoke import SmokeReport, smoke
from builder.spec.model import Stack
from builder.spec.stacks import load_stack
from builder.ui import Ui
from tests.build.kit import Ground, ground, tree
from tests.conftest import FAMILY, IMAGES, REPO, cli, document, remove_images

SHIPPED = REPO / "stacks" / "audio2face-sdk"
STANDIN = Path(__file__).parent / "standins" / "audio2face_sdk"
COMPILER = ["nvidia-cuda-nvcc==13.0.88", "nvidia-cuda-crt==13.0.88", "nvidia-nvvm==13.0.88"]
SITE = "/opt/venv/lib/python3.11/site-packages"
LIBRARY = f"{SITE}/audio2face_sdk/lib/libaudio2x.so"


# What is declared


def shipped() -> Stack:
    return load_stack("audio2face-sdk", site.load())


def test_check_finds_nothing_wrong() -> None:
    assert document(cli("--json", "check", "audio2face-sdk")) == {"stacks": {"audio2face-sdk": []}}


def test_the_models_are_mounted_and_pinned() -> None:
    stack = shipped()
    assert stack.baked == ()
    assert len(stack.mounted) == 4
    assert all(one.revision and one.licence == "NVIDIA Open Model License" for one in stack.mounted)
    assert [bool(one.sha256) for one in stack.mounted] == [True, True, True, False]


def test_nothing_brings_another_zlib_or_a_network_to_the_build() -> None:
    stack = shipped()
    assert stack.toolchain is not None
    assert stack.toolchain.system == ("g++",), "python3-dev would bring zlib1g-dev"
    places = {one.place.rpartition("/")[0] for one in stack.extensions[0].downloads}
    deps = {place.removeprefix("_deps/target-deps/") for place in places if "target-deps" in place}
    # deps/target-deps.packman.xml at the pinned commit, without the test data
    assert deps == {
        *("audiofile", "benchmark/release", "cnpy/release", "cxxopts", "eigen", "gtest/release"),
        *("magic_enum", "nlohmann_json", "refl-cpp", "tbtsvd", "zlib/release"),
    }


def test_the_sound_is_held_to_what_its_pointer_in_git_says() -> None:
    (one,) = (one for one in shipped().extensions[0].downloads if one.url.endswith(".wav"))
    assert (one.sha256, one.size) == ("9760ba86375cefc5833d2aea2e68604782a364e639899c1e2895233c7ae8c082", 128078)


@pytest.mark.heavy
def test_what_comes_from_the_default_index_resolves() -> None:
    stack = shipped()
    assert stack.toolchain is not None
    elsewhere = {canonicalize_name(one) for index in stack.indexes.values() for one in index.packages}
    every = (*stack.packages, *stack.toolchain.packages)
    wanted = [one for one in every if canonicalize_name(Requirement(one).name) not in elsewhere]
    command = [find_uv_bin(), "pip", "compile", "--quiet", "--python-version", stack.python]
    command += ["--python-platform", stack.platform, "--only-binary", ":all:", "-"]
    done = subprocess.run(command, input="\n".join(wanted), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "tensorrt-cu12-bindings==10.13.3.9\n" in done.stdout
    assert (stack.python, stack.base.glibc) == ("3.10", "2.35")


# The backend


@pytest.fixture
def backend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """modelstacks_backend in a folder of its own."""
    path = SHIPPED / "files" / "sdk_build" / "modelstacks_backend.py"
    spec = importlib.util.spec_from_file_location("modelstacks_backend", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.chdir(tmp_path)
    return module


def test_every_licence_goes_into_the_wheel_whatever_its_name_ends_with(
    backend: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names = ["licenses/eigen-LICENSE.MPL2", "licenses/nlohmann_json-LICENSE.txt.1", "licenses/zlib-LICENSE.txt"]
    files = [backend.BUILD / backend.LIBRARY, *(backend.BUILD / one for one in backend.PROGRAMS)]
    for path in (*files, backend.SOUND, backend.LICENCE, *map(Path, names)):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(path.name)
    found = [name for name, _ in backend.contents("info", "tag") if "/licenses/" in name]
    assert found == ["info/licenses/LICENSE.txt", *(f"info/{name}" for name in names)]


def test_capabilities_are_handed_to_cmake_in_its_own_words(backend: ModuleType) -> None:
    assert backend.architectures("7.5;8.9;12.0+PTX") == "75-real;89-real;120"


@pytest.mark.parametrize(
    ("headers", "libraries", "why"),
    [
        ("10.13.3", "10.13.3.9.post1", ""),
        ("10.13.3", "10.14.1.48", "the headers are of TensorRT 10.13.3, tensorrt-cu12-libs is 10.14.1.48"),
        ("10.9.0", "10.9.0.34", "the SDK asks for TensorRT >= 10.13, < 11"),
        ("11.0.0", "11.0.0.1", "the SDK asks for TensorRT >= 10.13, < 11"),
    ],
)
def test_headers_and_libraries_of_tensorrt_are_of_one_release_that_upstream_takes(
    backend: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    headers: str,
    libraries: str,
    why: str,
) -> None:
    (tmp_path / "_deps/tensorrt/include").mkdir(parents=True)
    lines = zip(("MAJOR", "MINOR", "PATCH"), headers.split("."), strict=True)
    text = "".join(f"#define TRT_{part}_ENTERPRISE {number}\n" for part, number in lines)
    (tmp_path / "_deps/tensorrt/include/NvInferVersion.h").write_text(text)
    monkeypatch.setattr(backend.importlib.metadata, "version", lambda name: libraries)
    if why:
        with pytest.raises(SystemExit):
            backend.complete_tensorrt(tmp_path)
    else:
        backend.complete_tensorrt(tmp_path)
    assert why in capsys.readouterr().err


# The compile, with stand-ins


def zipped(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def in_one_folder(top: str, files: dict[str, bytes]) -> bytes:
    """An archive as NVIDIA's redistributable ones are: one folder that holds all, programs executable."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:xz", preset=0) as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(f"{top}/{name}")
            entry.size, entry.mode = len(data), 0o755
            archive.addfile(entry, io.BytesIO(data))
    return out.getvalue()


def compiler(wheels: Path) -> dict[str, bytes]:
    """The files of CUDA's compiler, out of its wheels."""
    found = {}
    for requirement in COMPILER:
        name = Requirement(requirement).name.replace("-", "_")
        (path,) = wheels.glob(f"{name}-*.whl")
        with zipfile.ZipFile(path) as archive:
            for member in archive.namelist():
                if member.startswith("nvidia/cu13/") and not member.endswith("/"):
                    found[member.removeprefix("nvidia/cu13/")] = archive.read(member)
    return found


def sound() -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as made:
        made.setparams((1, 2, 16000, 0, "NONE", ""))
        made.writeframes(b"\0\0" * 16000)
    return out.getvalue()


def standin(name: str, wheels: Path) -> bytes:
    """What is served under a name that the stack's downloads have."""
    if name.startswith("cuda_nvcc"):
        return in_one_folder("cuda_nvcc-linux-x86_64-13.0.88-archive", compiler(wheels))
    if name.startswith("cuda_cudart"):
        return in_one_folder("cuda_cudart-linux-x86_64-13.0.96-archive", {"LICENSE": b"a stand-in"})
    if name.endswith(".wav"):
        return sound()
    if name.endswith(".h"):
        path = STANDIN / "include" / name
        return path.read_bytes() if path.exists() else b"#pragma once\n"
    if name.startswith("zlib@1.3.1"):
        return zipped({"include/zlib.h": (STANDIN / "zlib/include/zlib.h").read_bytes(), "lib/libz.a": b"!<arch>\n"})
    return zipped({"include/standin.h": b"#pragma once\n"})


@dataclass(frozen=True)
class Sdk:
    """A site that serves all stand-ins. keys: the stack, as the shipped one with the site's addresses."""

    ground: Ground
    engine: Engine
    keys: dict[str, Any]

    def locked(self, name: str, keys: dict[str, Any], backend: Callable[[str], str] | None = None) -> StackLock:
        """Write a stack of these keys with the shipped files, lock it, record what is pending, fetch."""
        here = self.ground
        here.write(name, {**yaml.safe_load(FAMILY), "cuda": "13.0"}, **keys)
        folder = here.folder(name)
        shutil.copytree(SHIPPED / "files", folder / "files", ignore=shutil.ignore_patterns("__pycache__"))
        path = folder / "files" / "sdk_build" / "modelstacks_backend.py"
        path.write_text(backend(path.read_text()) if backend else path.read_text())
        lock = resolve.lock(load_stack(name, here.settings), folder, here.settings, Ui()).lock
        lock = settle(lock, folder, here.settings, Ui())
        fetch(lock.artifacts(), lock.indexes, here.settings, Ui())
        return lock

    def compiled(self, name: str, keys: dict[str, Any], backend: Callable[[str], str] | None = None) -> StackLock:
        lock = self.locked(name, keys, backend)
        return compile_all(self.stack(name), lock, self.ground.folder(name), self.ground.settings, self.engine, Ui())

    def refusal(self, name: str, keys: dict[str, Any], backend: Callable[[str], str] | None = None) -> JobError:
        with pytest.raises(JobError) as caught:
            self.compiled(name, keys, backend)
        return caught.value

    def stack(self, name: str) -> Stack:
        return load_stack(name, self.ground.settings)

    def without(self, part: str) -> dict[str, Any]:
        """The keys without the downloads whose address holds a text."""
        (extension,) = self.keys["extensions"]
        fewer = [one for one in extension["downloads"] if part not in one["url"]]
        assert len(fewer) < len(extension["downloads"])
        return {**self.keys, "extensions": [{**extension, "downloads": fewer}]}


@pytest.fixture(scope="module")
def sdk(tmp_path_factory: pytest.TempPathFactory, engine: Engine) -> Iterator[Sdk]:
    with ground(tmp_path_factory.mktemp("sdk")) as here:
        try:
            yield Sdk(here, engine, served(here, engine))
        finally:
            remove_images(engine, "sdk")


def served(here: Ground, engine: Engine) -> dict[str, Any]:
    """Put every stand-in on the site; gives the stack's keys."""
    own = here.repository("tensorrt", tree(STANDIN / "tensorrt"))
    libraries = {**own, "name": "tensorrt-cu12-libs", "compiled": ["tensorrt_libs.libnvinfer"]}
    here.write("parts", packages=COMPILER, extensions=[libraries])
    stack, lock = here.locked("parts")
    (wheel,) = compile_all(stack, lock, here.folder("parts"), here.settings, engine, Ui()).built
    here.site.files["tensorrt_cu12_libs-10.13.3.9-cp311-cp311-manylinux_2_28_x86_64.whl"] = (
        here.settings.home / wheel.folder / wheel.filename
    ).read_bytes()
    rows = [f'<a href="{name}">{name}</a>' for name in here.site.files if name.endswith(".whl")]
    here.site.files["nvidia.html"] = f"<!DOCTYPE html><html><body>{''.join(rows)}</body></html>".encode()
    source = here.repository("sdk", tree(STANDIN / "source"))
    keys: dict[str, Any] = yaml.safe_load((SHIPPED / "stack.yaml").read_text())
    (extension,) = keys["extensions"]
    for download in extension["downloads"]:
        name = download["url"].rpartition("/")[2]
        here.site.files[name] = standin(name, here.settings.wheels)
        download["url"] = f"{here.site.url}/files/{name}"
        for held in ("sha256", "size"):
            download.pop(held, None)
    cuda = ["nvidia-cuda-runtime==13.0.96"]
    keys.pop("family")
    return {
        **keys,
        "gpus": ["8.0", "9.0+PTX"],
        "packages": ["tensorrt-cu12-libs==10.13.3.9", *cuda],
        "indexes": {"nvidia": {"find-links": f"{here.site.url}/files/nvidia.html", "packages": ["tensorrt-cu12-libs"]}},
        "libraries": ["nvidia/cu13/lib", *keys["libraries"]],
        "toolchain": {
            "packages": [
                *(one for one in keys["toolchain"]["packages"] if not one.startswith("nvidia-")),
                *cuda,
                "nvidia-cuda-cccl==13.0.85",
                "nvidia-nvtx==13.0.85",
            ],
            "system": keys["toolchain"]["system"],
        },
        "extensions": [{**extension, **source}],
        "smoke": ["loader", "audio2face_sdk"],
    }


@dataclass(frozen=True)
class Made:
    """The stack `sdk`, compiled and built."""

    sdk: Sdk
    stack: Stack
    lock: StackLock
    image: str

    def smoke(self, image: str, folder: Path, **keys: Any) -> SmokeReport:
        """Judge an image by the stack, with other keys."""
        settings = replace(site.load(), home=folder)
        stack = self.stack.model_copy(update={"name": "sdk", **keys})
        return smoke(stack, self.lock, image, settings, Ui(), self.sdk.engine, gpu="none", reuse=False)


@pytest.fixture(scope="module")
def made(sdk: Sdk) -> Made:
    lock = sdk.compiled("sdk", sdk.keys)
    image = build(sdk.stack("sdk"), lock, sdk.ground.settings, sdk.engine, Ui()).tag
    return Made(sdk, sdk.stack("sdk"), lock, image)


@pytest.mark.heavy
def test_library_headers_sound_and_programs_become_one_wheel(made: Made) -> None:
    (item,) = made.lock.built
    with zipfile.ZipFile(made.sdk.ground.settings.home / item.folder / item.filename) as wheel:
        assert set(wheel.namelist()) >= {
            "audio2face_sdk/lib/libaudio2x.so",
            "audio2face_sdk/include/audio2x/audio2x.h",
            "audio2face_sdk/sample-data/audio_4sec_16k_s16le.wav",
            "audio2face_sdk-1.0.0.data/scripts/sample-a2f-executor",
            "audio2face_sdk-1.0.0.data/scripts/audio2face-benchmarks",
        }
        assert wheel.read("audio2face_sdk/sample-data/audio_4sec_16k_s16le.wav") == sound(), "not the pointer of git"
    # recorded at the site; of an address with a port and a later @ nothing is shown, as that may be a password
    assert all(str(one.origin).startswith(made.sdk.ground.site.url) for one in made.lock.archives)
    assert all(one.seen == clean_url(str(one.origin)) for one in made.lock.archives)
    assert {one.seen for one in made.lock.archives if "@" in one.project} == {"https://…"}
    assert len(made.lock.archives) == len(shipped().extensions[0].downloads)


@pytest.mark.heavy
def test_a_bundle_carries_what_lies_over_the_source(made: Made) -> None:
    """Else the other site's stack file asks for a folder that is not there."""
    items, _ = stack_items(load_stack("sdk", made.sdk.ground.settings), made.sdk.ground.settings)
    names = {item.member.name for item in items}
    over = ("pyproject.toml", "modelstacks_backend.py")
    assert {f"stacks/sdk/files/sdk_build/{name}" for name in over} <= names
    assert {f"assets/archives/{item.filename}" for item in made.lock.archives} <= names


@pytest.mark.heavy
def test_the_image_is_green_and_its_programs_run_on_the_right_zlib(made: Made, tmp_path: Path) -> None:
    report = made.smoke(made.image, tmp_path)
    assert report.green, [row for row in report.results if row.outcome == "failed"]
    words = ["run", "--rm", "--network=none", "--entrypoint", "sample-a2f-executor", made.image]
    assert made.sdk.engine.run(words, check=False).stdout == (
        "Audio2Face SDK Example: sample-a2f-executor, zlib 1.3.1, TensorRT 101303\n"
    )
    say = "for one in nvcc cmake g++; do command -v $one; done; echo $LANG"
    look = ["run", "--rm", "--entrypoint", "sh", made.image, "-c", say]
    assert made.sdk.engine.run(look).stdout == "C.UTF-8\n", "nothing of the toolchain is in the image"


@pytest.mark.heavy
def test_the_start_is_in_the_image_and_says_what_to_mount(made: Made) -> None:
    done = made.sdk.engine.run(["run", "--rm", "--network=none", made.image, "engines"], check=False)
    assert done.returncode == 2
    assert "there is no model in /models. Fix: mount them: --volume" in done.stderr


# name -> what is done to the image, and which tests fail of it, by what they say
BROKEN = {
    "no-tensorrt": (
        f"RUN rm {SITE}/tensorrt_libs/libnvinfer.so.10 && ldconfig -X",
        {
            "library_and_programs_find_what_they_need": "libaudio2x.so needs libnvinfer.so.10",
            "its_programs_start[sample-a2f-executor]": "libnvinfer.so.10: cannot open shared object file",
            "its_programs_start[audio2face-benchmarks]": "libnvinfer.so.10: cannot open shared object file",
        },
    ),
    "tensorrt-11": (
        f"RUN sed -i 's/libnvinfer\\.so\\.10/libnvinfer.so.11/' {LIBRARY}",
        {
            "the_library_is_linked_to_tensorrt_10": "names libcudart.so.13, libnvinfer.so.11,",
            "library_and_programs_find_what_they_need": "libaudio2x.so needs libnvinfer.so.11",
            "its_programs_start[sample-a2f-executor]": "libnvinfer.so.11: cannot open shared object file",
            "its_programs_start[audio2face-benchmarks]": "libnvinfer.so.11: cannot open shared object file",
        },
    ),
    "new-abi": (
        f"RUN sed -i 's/_Z12a2f_versionsv/_Z6a2f_veB5cxx11v/' {LIBRARY}",
        {
            "the_library_has_the_c_plus_plus_abi_that_its_headers_are_used_with": "it exports _Z6a2f_veB5cxx11v",
            "its_programs_start[sample-a2f-executor]": "undefined symbol: _Z12a2f_versionsv",
        },
    ),
    "no-program": (
        "RUN rm /opt/venv/bin/audio2face-benchmarks",
        {"its_programs_start[audio2face-benchmarks]": "ended with 127 and said: [Errno 2] No such file"},
    ),
}


@pytest.mark.heavy
@pytest.mark.parametrize("name", BROKEN)
def test_smoke_finds_what_is_wrong_with_an_image(made: Made, tmp_path: Path, name: str) -> None:
    lines, wanted = BROKEN[name]
    tag = f"{IMAGES}/sdk:{name}"
    words = ["buildx", "build", "--quiet", "--network", "none", "--load", "--provenance=false", "-t", tag, "-"]
    made.sdk.engine.run(words, input=f"FROM {made.image}\nUSER root\n{lines}\n")
    try:
        report = made.smoke(tag, tmp_path, smoke=("audio2face_sdk",))
    finally:
        made.sdk.engine.remove(tag)
    failed = {row.test.removeprefix("test_"): row.reason for row in report.results if row.outcome == "failed"}
    assert failed.keys() == wanted.keys(), failed
    assert all(text in failed[name] for name, text in wanted.items()), failed


@pytest.mark.heavy
def test_smoke_finds_code_that_is_missing_for_a_gpu(made: Made, tmp_path: Path) -> None:
    report = made.smoke(made.image, tmp_path, smoke=("audio2face_sdk",), gpus=("7.5", "8.0", "9.0+PTX"))
    (row,) = [row for row in report.results if row.outcome == "failed"]
    assert {row.test} == {"test_the_library_holds_code_for_the_gpus_of_the_stack"}
    assert row.reason.endswith("holds compute_90, sm_80, sm_90, none of it for 7.5")


@pytest.mark.heavy
def test_a_zlib_of_the_system_ends_the_configuration_without_our_measure_and_not_with_it(sdk: Sdk) -> None:
    """The image's release has 1.2.13, and upstream's find module looks into /usr first."""
    tools = sdk.keys["toolchain"]
    keys = {**sdk.keys, "toolchain": {**tools, "system": [*tools["system"], "zlib1g-dev"]}}
    (item,) = sdk.compiled("with-zlib", keys).built
    assert item.project == "audio2face-sdk"

    def bare(text: str) -> str:
        return text.replace("-DCMAKE_PREFIX_PATH=", "-DNOTHING=")

    error = sdk.refusal("with-zlib-bare", keys, bare)
    log = re.sub(r"\n#\d+ [\d.]+ +", " ", Path(error.where).read_text())
    assert 'Could NOT find ZLIB: Found unsuitable version "1.2.13", but required is at least "1.3.1"' in log
    assert error.why.startswith("CMake Error at ")
    assert "likely cause: " in error.why


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("part", "why"),
    [
        (".wav", "sample-data/audio_4sec_16k_s16le.wav is a Git LFS pointer, not the file"),
        ("cuda_nvcc", "there is no CUDA compiler in _deps/cuda"),
    ],
)
def test_what_is_not_prefetched_is_refused_by_name(sdk: Sdk, part: str, why: str) -> None:
    error = sdk.refusal(f"no-{part.strip('._').replace('_', '-')}", sdk.without(part))
    assert why in error.why


@pytest.mark.heavy
def test_without_packmans_parts_configure_would_ask_the_network(sdk: Sdk) -> None:
    error = sdk.refusal("no-deps", sdk.without("@"))
    assert "packman would be asked for _deps/target-deps, over a network" in Path(error.where).read_text()


@pytest.mark.heavy
def test_a_download_that_rots_between_fetch_and_build_is_refused(made: Made) -> None:
    here = made.sdk.ground.other("rotten")
    item = next(one for one in made.lock.archives if one.project.startswith("zlib@"))
    path = here.settings.home / item.folder / item.filename
    path.unlink()
    path.write_bytes(b"PK")
    (recipe,) = recipes(made.stack, made.lock)
    with pytest.raises(InputError) as caught:
        render_recipe(made.stack, made.lock, recipe, here.settings)
    assert caught.value.problem.endswith("has other bytes than the lock says")
    assert caught.value.where == str(path)
