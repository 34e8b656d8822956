"""The stacks of LivePortrait and HeyGem: what check says, what resolves, what would go wrong otherwise."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from uv import find_uv_bin

from builder import settings as site
from builder.check import check
from builder.settings import Settings
from builder.spec.model import Stack
from builder.spec.stacks import load_stack
from tests.conftest import REPO
from tests.stacks.test_audio2face_sdk import in_one_folder

PEOPLE, ANIMALS = "liveportrait", "liveportrait-animals"
NAMES = [PEOPLE, ANIMALS, "heygem", "heygem-cu118"]


def findings(name: str, folder: Path | None = None) -> list[tuple[str, str]]:
    """Level and rule/about of what check finds, the stacks of a folder of the user's own before ours."""
    settings = Settings(home=REPO, stacks=(folder, REPO / "stacks")) if folder else site.load()
    return [(one.level, f"{one.rule}/{one.about}") for one in check(load_stack(name, settings), None)]


@pytest.mark.parametrize("name", NAMES)
def test_check_is_green_or_has_the_reason(name: str) -> None:
    allowed = [] if name in (PEOPLE, ANIMALS) else [("accepted", "base_end_of_life/distribution")]
    assert findings(name) == allowed


def changed(tmp_path: Path, name: str, old: str, new: str) -> Path:
    """A folder of a user's own with a copy of the stack, my-NAME, in which one text is another."""
    shutil.copytree(REPO / "stacks" / name, tmp_path / f"my-{name}")
    path = tmp_path / f"my-{name}" / "stack.yaml"
    text = path.read_text()
    assert text.count(old) == 1, old
    path.write_text(text.replace(old, new))
    return tmp_path


@pytest.mark.parametrize(
    ("name", "old", "new", "rule"),
    [
        ("liveportrait", "onnxruntime-gpu==1.20.2", "onnxruntime-gpu==1.20.1", "gone_from_index"),
        ("liveportrait", "onnxruntime-gpu==1.20.2", "onnxruntime-gpu==1.18.0", "onnxruntime_cuda"),
        ("liveportrait", "numpy==1.26.4", "numpy==2.2.6", "numpy_abi"),
        ("liveportrait", "  - huggingface-hub<1 ", "  - opencv-python==4.10.0.84 ", "conflicting_packages"),
        ("liveportrait", "family: cu128", "family: ubuntu20-torch241-cu121", "torch_gpus"),
        ("heygem", "onnxruntime-gpu==1.19.2", "onnxruntime-gpu==1.9.0", "gone_from_index"),
        ("heygem", "onnxruntime-gpu==1.19.2", "onnxruntime-gpu==1.18.1", "onnxruntime_cuda"),
        ("heygem", "onnxruntime-gpu==1.19.2", "onnxruntime-gpu==1.20.2", "onnxruntime_python"),
        ("heygem", 'gpus: ["7.0", ', 'gpus: ["12.0", "7.0", ', "torch_gpus"),
        ("heygem", "setuptools<81 ", "setuptools==82.0.0 ", "pkg_resources"),
        ("heygem-cu118", "onnxruntime-gpu==1.18.1", "onnxruntime-gpu==1.19.2", "onnxruntime_cuda"),
    ],
)
def test_check_refuses_what_the_notes_ran_into(tmp_path: Path, name: str, old: str, new: str, rule: str) -> None:
    found = findings(f"my-{name}", changed(tmp_path, name, old, new))
    assert rule in {one.split("/")[0] for level, one in found if level == "error"}, found


def test_check_warns_of_the_default_indexs_torch_2_7_1_for_blackwell(tmp_path: Path) -> None:
    family = yaml.safe_load((REPO / "stacks" / "families" / "cu128.yaml").read_text())
    family |= {"torch": "2.7.1", "cuda": "12.6", "packages": ["torch==2.7.1", "torchvision==0.22.1"], "indexes": {}}
    folder = changed(tmp_path, "liveportrait", "family: cu128", "family: without-index")
    (folder / "families").mkdir()
    (folder / "families" / "without-index.yaml").write_text(yaml.safe_dump(family))
    found = findings("my-liveportrait", folder)
    # a warning: what this build holds has not been measured
    assert found == [("warning", "torch_gpus/10.0"), ("warning", "torch_gpus/12.0")]


@pytest.mark.parametrize(
    ("name", "folder"),
    [("cu128", "cuda_nvrtc"), ("cu128", "cudnn"), ("ubuntu20-torch241-cu121", "cudnn"), ("cu118", "cudnn")],
)
def test_a_family_names_the_folders_that_onnxruntime_needs(name: str, folder: str) -> None:
    stack = next(one for one in map(load, NAMES) if one.family == name)
    assert f"nvidia/{folder}/lib" in stack.libraries


def load(name: str) -> Stack:
    return load_stack(name, site.load())


def test_buffalo_l_is_mounted_and_the_mit_weights_are_baked_by_revision_and_hash() -> None:
    stack = load("liveportrait")
    assert {one.filename for one in stack.mounted} == {"2d106det.onnx", "det_10g.onnx"}
    assert len(stack.baked) == 6
    assert all(one.revision and one.sha256 and one.size for one in stack.weights)


@pytest.mark.heavy
@pytest.mark.parametrize("name", NAMES)
def test_what_comes_from_the_default_index_resolves(name: str) -> None:
    stack = load(name)
    elsewhere = {canonicalize_name(one) for index in stack.indexes.values() for one in index.packages}
    wanted = [one for one in stack.packages if canonicalize_name(Requirement(one).name) not in elsewhere]
    command = [find_uv_bin(), "pip", "compile", "--quiet", "--python-version", stack.python]
    command += ["--python-platform", stack.platform, "--only-binary", ":all:"]
    command += [word for one in stack.from_source for word in ("--no-binary", one)]
    done = subprocess.run([*command, "-"], input="\n".join(wanted), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert f"numpy=={'1.26.4' if name in (PEOPLE, ANIMALS) else '1.21.6'}\n" in done.stdout
    assert len(re.findall(r"^opencv-\S+==", done.stdout, re.M)) == 1


@pytest.mark.heavy
def test_gradio_of_the_stack_launches(tmp_path: Path) -> None:
    # the stack's Python is 3.10; gradio is plain Python, and this machine's serves as well
    names = ("gradio", "huggingface-hub", "starlette", "numpy", "pillow", "rich", "pyyaml")
    wanted = [one for one in load("liveportrait").packages if canonicalize_name(Requirement(one).name) in names]
    assert len(wanted) == len(names)
    subprocess.run([find_uv_bin(), "venv", "--quiet", "--python", sys.executable, tmp_path / "venv"], check=True)
    subprocess.run([find_uv_bin(), "pip", "install", "--quiet", "--python", tmp_path / "venv", *wanted], check=True)
    script = """
import gradio, urllib.request
with gradio.Blocks() as page:
    gradio.Markdown("made for a test")
_, address, _ = page.launch(prevent_thread_lock=True, server_name="127.0.0.1", quiet=True)
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
print(opener.open(address, timeout=30).status)
page.close()
"""
    env = {
        "HOME": str(tmp_path),
        "PATH": os.environ["PATH"],
        "GRADIO_ANALYTICS_ENABLED": "False",
        "NO_PROXY": "127.0.0.1,localhost",
    }
    command = [str(tmp_path / "venv" / "bin" / "python"), "-c", script]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=120)
    assert "200" in done.stdout.splitlines(), done.stderr


def test_animals_is_the_stack_for_people_with_xposes_op_and_the_weights_of_its_own_mode() -> None:
    people, animals = load(PEOPLE), load(ANIMALS)
    assert set(animals.packages) - set(people.packages) == {"setuptools<82"}
    assert set(people.packages) <= set(animals.packages)
    for key in ("gpus", "system", "indexes", "libraries", "paths", "env", "entrypoint", "workdir", "sources"):
        assert getattr(animals, key) == getattr(people, key), key
    assert animals.files_digest == people.files_digest
    assert set(animals.smoke) - set(people.smoke) == {"extensions", "xpose"}
    assert {one.filename for one in animals.mounted} == {"2d106det.onnx", "det_10g.onnx", "xpose.pth"}
    places = [f"{one.into.rpartition('pretrained_weights/')[2]}/{one.filename}" for one in animals.baked]
    # src/config/inference_config.py: the animals' own four, and the stitching of the human mode
    networks = ("appearance_feature_extractor", "motion_extractor", "spade_generator", "warping_module")
    assert places == [
        *(f"liveportrait_animals/base_models_v1.1/{one}.pth" for one in networks),
        "liveportrait/retargeting_models/stitching_retargeting_module.pth",
        "liveportrait/landmark.onnx",
    ]
    assert all(one.licence == "MIT" and one.sha256 for one in animals.baked)


def test_the_compiler_of_xposes_op_is_the_one_of_audio2face_sdk() -> None:
    (extension,) = load(ANIMALS).extensions
    assert extension.commit == load(ANIMALS).sources[0].commit
    assert extension.downloads == load("audio2face-sdk").extensions[0].downloads[:2]


def uv(*words: str | Path) -> None:
    subprocess.run([find_uv_bin(), "--quiet", *map(str, words)], check=True)


def test_the_op_is_compiled_by_its_own_setup_with_the_toolkit_of_the_archives(tmp_path: Path) -> None:
    """The backend really run, on a setup.py that tells what it was given and runs the compiler."""
    (extension,) = load(ANIMALS).extensions
    shutil.copytree(REPO / "stacks" / ANIMALS / "files" / str(extension.files), tmp_path, dirs_exist_ok=True)
    (tmp_path / "_deps/cuda").mkdir(parents=True)
    script = b"#!/bin/sh\ncat ${0%/bin/nvcc}/lib64/libcudart.so\n"
    for name, files in {"cuda_nvcc": {"bin/nvcc": script}, "cuda_cudart": {"lib/libcudart.so": b"the runtime"}}.items():
        (tmp_path / f"_deps/cuda/{name}.tar.xz").write_bytes(in_one_folder(f"{name}-12.8", files))
    setup = tmp_path / extension.edits[0].file
    setup.parent.mkdir(parents=True)
    setup.write_text(
        "import os, subprocess, setuptools\n"
        "told = subprocess.check_output([os.environ['CUDA_HOME'] + '/bin/nvcc'], text=True)\n"
        "setuptools.setup(name='told', version='1', description=told, url=os.environ['CPATH'])\n"
    )
    python = tmp_path / "venv/bin/python"
    uv("venv", "--python", sys.executable, tmp_path / "venv")
    uv("pip", "install", "--python", python, "setuptools==81.0.0")
    (headers,) = (tmp_path / "venv/lib").glob("python3*/site-packages")
    (headers / "nvidia/cublas/include").mkdir(parents=True)
    uv("build", "--wheel", "--no-build-isolation", "--python", python, "--out-dir", tmp_path / "out", tmp_path)
    with zipfile.ZipFile(tmp_path / "out/told-1-py3-none-any.whl") as wheel:
        told = wheel.read("told-1.dist-info/METADATA").decode()
    assert "Summary: the runtime\n" in told
    assert f"Home-page: {headers}/nvidia/cublas/include\n" in told
