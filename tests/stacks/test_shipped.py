"""The stacks this repository ships, whole and for real: fetched, built, proved, built again, changed a little."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from builder.engine.client import Engine
from builder.lock import read
from builder.render.ready import ready
from tests.conftest import HOME, REPO, cli, document, remove_images, uncached


def made(name: str, *words: str) -> dict[str, Any]:
    stack: dict[str, Any] = document(cli("--json", *words, "stack", name, "--gpu", "none", timeout=1800))["stacks"][0]
    return stack


@pytest.mark.parametrize("name", ["onnx-cpu", "ort-cudnn9", pytest.param("faster-whisper", marks=pytest.mark.heavy)])
def test_a_shipped_stack_is_built_and_green_and_the_second_run_does_nothing(engine: Engine, name: str) -> None:
    first = made(name)
    assert first["smoke"]["green"] is True
    second = made(name)
    assert second["fetch"]["fetched"] == []
    assert second["fetch"]["bytes"] == 0
    assert second["image"]["built"] is False
    assert second["smoke"]["reused"] is True
    assert second["image"]["id"] == first["image"]["id"]


def test_skipped_gpu_tests_of_ort_cudnn9_say_why(engine: Engine) -> None:
    made("ort-cudnn9")
    report = document(cli("--json", "smoke", "ort-cudnn9", "--gpu", "none"))["reports"][0]
    skipped = [result for result in report["results"] if result["outcome"] == "skipped"]
    assert {result["check"] for result in skipped} == {"gpu", "onnxruntime_gpu"}
    assert all(result["reason"] for result in skipped)


def test_one_small_package_more_does_not_reinstall_the_cuda_libraries(engine: Engine, tmp_path: Path) -> None:
    stack = (REPO / "stacks" / "ort-cudnn9" / "stack.yaml").read_text() + f"{uncached()}\n"
    (tmp_path / "ort-more").mkdir()
    try:
        # First without it: an image that is there says nothing of what the engine's build cache still holds.
        images = []
        for text in (stack, stack.replace("packages:\n", "packages:\n  - six==1.17.0\n")):
            (tmp_path / "ort-more" / "stack.yaml").write_text(text)
            for verb in ("lock", "fetch"):
                document(cli("--json", "--stacks", str(tmp_path), verb, "ort-more"))
            built = document(cli("--json", "--stacks", str(tmp_path), "build", "ort-more"))["images"][0]
            assert built["built"] is True
            images.append(engine.image(built["tag"]))
        log = (HOME / "build" / "ort-more" / "build.log").read_text()
    finally:
        remove_images(engine, "ort-more")
    steps = dict(re.findall(r"^#(\d+) \[((?:wheels|bytecode)\S*-layer) 1/1\]", log, re.M))
    cached = {name for number, name in steps.items() if re.search(rf"^#{number} CACHED$", log, re.M)}
    ran = set(steps.values()) - cached
    assert ran == {"wheels-layer"}
    assert cached == {"bytecode-layer"}
    lock = read(REPO / "stacks" / "ort-cudnn9")
    large = [item.project for item in ready(lock)]
    assert {"nvidia-cudnn-cu12", "nvidia-cublas-cu12", "onnxruntime-gpu", "scipy"} <= set(large)
    before, after = images
    assert before and after and before.layers[: 1 + len(large)] == after.layers[: 1 + len(large)]


@pytest.mark.parametrize("name", ["onnx-cpu", pytest.param("ort-cudnn9", marks=pytest.mark.heavy)])
def test_a_shipped_stack_is_reproducible(engine: Engine, name: str) -> None:
    made(name)
    report = document(cli("--json", "reproduce", name, timeout=1800))["reports"][0]
    assert report["identical"] is True
    assert report["ids"][0] == made(name)["image"]["id"]
